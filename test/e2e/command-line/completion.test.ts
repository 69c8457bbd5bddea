/** Completion in each shell, on a real terminal, with the Tab key. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fullName, withCommandsBelow } from '../../../src/cli/commands.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { temporaryFile, temporaryFolder } from '../../support/files.ts';
import { run, yodel } from '../../support/process/command.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const shells = {
  bash: {
    start: 'exec bash --norc --noprofile', // At its end it would write its history into the folder that is being removed.
    prompt: "PS1='% '; unset HISTFILE",
    load: 'source <(yodel completion bash)',
  },
  zsh: {
    start: 'exec zsh -f',
    prompt: "PROMPT='%% '; autoload -U compinit; compinit -D",
    load: 'source <(yodel completion zsh)',
  },
  fish: {
    start: 'exec fish --no-config',
    prompt: "function fish_prompt; echo -n '% '; end",
    load: 'yodel completion fish | source',
  },
};
/** The test types tens of lines and waits for each completion. */
const patienceMs = 90_000;
type Shell = keyof typeof shells;

/** A folder with two files and three contexts, one of them named like a command that must not run. */
function harness(): { folder: string; env: NodeJS.ProcessEnv } {
  const folder = temporaryFolder();
  const contexts = join(folder, 'config', 'yodel', 'contexts');
  mkdirSync(contexts, { recursive: true });
  for (const name of ['prod', 'staging', '$(touch broken)']) {
    writeFileSync(join(contexts, `${name}.toml`), 'address = "tcp://127.0.0.1:1"\n');
  }
  for (const name of ['handler.ts', 'yodel.toml']) writeFileSync(join(folder, name), '');
  return { folder, env: { HOME: folder, XDG_CONFIG_HOME: join(folder, 'config') } };
}

/** What is typed, and what Tab shows: the completed line or the list of candidates. */
const lines: readonly [typed: string, shows: RegExp][] = [
  ['yodel ser', /^% yodel serve$/m],
  ['yodel serve --fram', /^% yodel serve --framing=?$/m],
  ['yodel serve --framing b', /^% yodel serve --framing between:$/m],
  ['yodel serve --encoding ', /^binary.*utf8|^binary(.|\n)*^utf8/m],
  ['yodel serve --encoding=b', /^% yodel serve --encoding=binary$/m],
  ['yodel serve --on-too-long d', /^% yodel serve --on-too-long discard$/m],
  ['yodel serve ec', /^% yodel serve echo$/m],
  ['yodel serve h', /^% yodel serve handler\.ts$/m],
  ['yodel serve --config y', /^% yodel serve --config yodel\.toml$/m],
  ['yodel config check y', /^% yodel config check yodel\.toml$/m],
  ['yodel connect @', /^@?prod +@?staging$/m],
  ['yodel connect @p', /^% yodel connect @prod$/m],
  ['yodel bench -w 1s @s', /^% yodel bench -w 1s @staging$/m],
  ['yodel connect --context p', /^% yodel connect --context prod$/m],
  ['yodel context sh', /^% yodel context show$/m],
  ['yodel context rm prod s', /^% yodel context rm prod staging$/m],
  ['yodel --no-color conn', /^% yodel --no-color connect$/m],
  ['X=1 yodel conn', /^% X=1 yodel connect$/m],
  ['yodel completion f', /^% yodel completion fish$/m],
  ['yodel help framin', /^% yodel help framing$/m],
];

for (const shell of Object.keys(shells) as Shell[]) {
  const { start, prompt, load } = shells[shell];

  testWith(['tmux', shell], `apt-get install tmux ${shell}`)(
    `Tab completes in ${shell}`,
    async () => {
      const { folder, env } = harness();
      const terminal = new Terminal({ width: 110, height: 40, env });
      terminal.enter(`cd ${folder}; ${start}`);
      // The screen also shows what was typed; only the output has the sum.
      terminal.enter(`${prompt}; ${load}; echo ready-$(expr 40 + 2)`.replaceAll('$(', shell === 'fish' ? '(' : '$('));
      await terminal.sees(/ready-42/);
      for (const [typed, shows] of lines) {
        // Not Ctrl-C, whose signal may arrive later.
        terminal.press('C-u', 'C-l');
        await terminal.sees(/^\s*%$/);
        terminal.type(typed);
        terminal.press('Tab');
        // With several candidates, bash lists them at the second Tab.
        if (shell === 'bash' && !shows.source.startsWith('^%')) terminal.press('Tab');
        await terminal.sees(shows);
      }
      expect(terminal.history()).not.toContain('broken');
    },
    patienceMs,
  );
}

/** Each command with its visible flags and commands. */
const all = withCommandsBelow(await createProgram()).map((command) => ({
  line: fullName(command),
  flags: command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long }) => long ?? []),
  commands: command.commands.map((one) => one.name()),
}));

/** Returns the candidates for each line, from a shell without a terminal. */
type Propose = (lines: readonly string[]) => Promise<string[][]>;

const proposes: Record<'bash' | 'fish', (script: string) => Propose> = {
  bash: (script) => async (typed) => {
    const asks = typed.map((line) => `ask ${JSON.stringify(line)}`).join('\n');
    const driver = `${script}
ask() {
  COMP_LINE=$1 COMP_POINT=\${#1} COMP_CWORD=0 COMP_WORDS=(yodel)
  _yodel
  echo "\${COMPREPLY[*]}"
}
${asks}`;
    return wordsOf(await run(['bash', '-c', driver]), ' ');
  },
  fish: (script) => async (typed) => {
    const asks = typed.map((line) => `echo (complete -C ${JSON.stringify(line)} | string replace -r '\\t.*' '')`);
    return wordsOf(
      await run(['fish', '--no-config', '-c', `${script}\n${asks.join('\n')}`], { env: harness().env }),
      ' ',
    );
  },
};

function wordsOf({ stdout, stderr }: Awaited<ReturnType<typeof run>>, between: string): string[][] {
  expect(stderr).toBe('');
  return stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => line.split(between));
}

testWith(['tmux', 'zsh'], 'apt-get install tmux zsh')(
  'every command and flag of yodel is completed in zsh',
  async () => {
    const { start, prompt, load } = shells.zsh;
    // Large enough that zsh lists the candidates without asking.
    const terminal = new Terminal({ width: 150, height: 150, env: harness().env });
    terminal.enter(start);
    terminal.enter(`LISTMAX=1000; ${prompt}; ${load}; echo ready-$(expr 40 + 2)`);
    await terminal.sees(/ready-42/);
    for (const { line, flags, commands } of all) {
      for (const [typed, words] of [
        [`${line} --`, flags],
        [`${line} `, commands],
      ] as const) {
        if (words.length === 0) continue;
        terminal.press('C-u', 'C-l');
        await terminal.sees(/^\s*%$/);
        terminal.type(typed);
        terminal.press('Tab');
        const listed = [...words].sort().map((word) => `^${word}\\s`);
        // A single command is not listed, but typed.
        const isTyped = words === commands && words.length === 1;
        await terminal.sees(new RegExp(isTyped ? `^% ${typed}${words[0]}` : listed.join('(.|\\n)*'), 'm'));
      }
    }
  },
);

for (const shell of ['bash', 'fish'] as const) {
  testWith(shell, `apt-get install ${shell}`)(`every command and flag of yodel is completed in ${shell}`, async () => {
    const propose = proposes[shell]((await yodel(['completion', shell])).stdout.toString());
    const flags = await propose(all.map(({ line }) => `${line} --`));
    for (const [index, command] of all.entries()) {
      expect(flags[index], command.line).toEqual(expect.arrayContaining(command.flags));
    }
    const groups = all.filter(({ commands }) => commands.length > 0);
    const commands = await propose(groups.map(({ line }) => `${line} `));
    for (const [index, command] of groups.entries()) {
      expect(commands[index]?.sort(), command.line).toEqual([...command.commands].sort());
    }
  });
}

for (const shell of Object.keys(shells) as Shell[]) {
  testWith(shell, `apt-get install ${shell}`)(`the script for ${shell} has no syntax error`, async () => {
    const script = await yodel(['completion', shell]);
    const { status, stderr } = await run([shell, '-n', temporaryFile('script', script.stdout)]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
}

test(
  'an unknown shell is one clear line and exit status 2',
  async () => {
    const { status, stderr } = await yodel(['completion', 'tcsh']);
    expect(stderr).toMatch(/^yodel: .*tcsh.*bash, zsh, fish.*\n$/);
    expect(status).toBe(2);
  },
  patienceMs,
);
