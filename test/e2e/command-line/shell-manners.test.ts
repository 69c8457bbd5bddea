/** What every command does in a shell: quiet on closed pipes, colours only on terminals, suggestions for typos. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fullName, withCommandsBelow } from '../../../src/cli/commands.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { temporaryFolder } from '../../support/files.ts';
import { type Outcome, type RunOptions, serve, yodel } from '../../support/process/command.ts';
import { runLine } from '../../support/process/command-lines.ts';
import { shell } from '../../support/shell.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const commands = withCommandsBelow(await createProgram()).filter((command) => command.parent);
/** Every command line that prints and exits. */
const printing = [
  ...withCommandsBelow(await createProgram()).map((command) => `${fullName(command)} --help`),
  'yodel --version',
  'yodel help',
  'yodel help environment',
  'yodel completion bash',
  'yodel completion zsh',
  'yodel completion fish',
  'yodel config print',
  'yodel config print --json',
  'yodel context show prod',
  'yodel context ls',
];

/** A configuration folder with one context. */
async function home(): Promise<RunOptions> {
  const options = { env: { XDG_CONFIG_HOME: temporaryFolder() } };
  await yodel(['context', 'save', 'prod', ':1'], options);
  return options;
}

/** Runs a shell command whose stdout is a pipe without a reader: it has closed its end before the command starts. */
async function withoutReader(command: string, options: RunOptions = {}): Promise<Outcome> {
  const gone = join(temporaryFolder(), 'gone');
  return await shell(`mkfifo ${gone}; { cat ${gone}; ${command}; } | { exec <&-; echo >${gone}; }`, options);
}

test('when stdout is closed, every command that prints exits quietly with status 0', async () => {
  const options = await home();
  await inPairs(printing, async (line) => {
    const { stdout, stderr } = await withoutReader(`${line}; echo "status $?" >&2`, options);
    expect({ line, stdout: stdout.toString(), stderr }).toEqual({ line, stdout: '', stderr: 'status 0\n' });
  });
});

test('when stderr is closed, the exit status still reports the error', async () => {
  for (const line of ['yodel srve', 'yodel context', 'yodel help zzz', 'yodel serve --listen nowhere:x']) {
    const { stderr } = await withoutReader(`${line} 2>&1; echo "status $?" >&2`);
    expect({ line, stderr }).toEqual({ line, stderr: 'status 2\n' });
  }
});

test('on a full disk every command that prints reports an error, with exit status 1', async () => {
  const options = await home();
  await inPairs(printing, async (line) => {
    const full = openSync('/dev/full', 'w');
    const { stderr, status } = await yodel(line.split(' ').slice(1), { ...options, stdout: full });
    closeSync(full);
    expect({ line, stderr }).toEqual({ line, stderr: expect.stringMatching(/^yodel: cannot write the output: .*\n$/) });
    expect(status).toBe(1);
  });
});

test('a missing letter in any command or flag gets a suggestion', async () => {
  // Without the middle letter. Words of up to three letters are left out: they could be anything.
  const slip = (word: string) => word.slice(0, Math.ceil(word.length / 2)) + word.slice(Math.ceil(word.length / 2) + 1);
  const slips = commands.flatMap((command) => {
    const words = fullName(command).split(' ').slice(1);
    const name = words.at(-1) ?? '';
    const flags = command
      .createHelp()
      .visibleOptions(command)
      .flatMap(({ long }) => long ?? []);
    const [first, last] = [flags[0] ?? '', flags.at(-1) ?? ''];
    return [
      ...(name.length > 3 ? [{ words: [...words.slice(0, -1), slip(name)], right: name }] : []),
      // This command takes the flags of yodel serve too.
      ...(name === 'print' ? [] : [first, last].map((flag) => ({ words: [...words, slip(flag)], right: flag }))),
    ];
  });
  expect(slips.length).toBeGreaterThan(20);
  for (const { words, right } of slips) {
    const { stderr, status } = await runLine(words);
    expect(stderr, words.join(' ')).toContain(`(Did you mean ${right}?)`);
    expect(status).toBe(2);
  }
});

test('an error below a command names the help of that command', async () => {
  expect((await runLine(['context', 'ls', '--jsn'])).stderr).toContain('See: yodel context ls --help');
  expect((await runLine(['--no-color', 'serve', '--lisen', ':0'])).stderr).toContain('See: yodel serve --help');
  const { stderr } = await runLine(['serve', '--fault', 'request lateny 5ms']);
  expect(stderr).toContain('Did you mean "latency"? See: yodel serve --help');
});

testWith('tmux', 'apt-get install tmux')(
  'colours can be turned off by a flag, before and after the command',
  async () => {
    const server = await serve(['--quiet']);
    for (const [line, isColoured] of [
      [`yodel connect ${server.address}`, true],
      [`yodel connect ${server.address} --no-color`, false],
      [`yodel --no-color connect ${server.address}`, false],
      [`NO_COLOR=1 yodel connect ${server.address}`, false],
    ] as const) {
      const terminal = new Terminal();
      terminal.enter(line);
      await terminal.sees(/^> $|^>$/m);
      terminal.enter('hello');
      await terminal.sees(/< hello/);
      expect(terminal.screen({ styles: true }).includes('\x1b['), line).toBe(isColoured);
      terminal.close();
    }
  },
);

/** Calls `look` for each item, two at a time: each is a process. */
async function inPairs<Item>(items: readonly Item[], look: (item: Item) => Promise<void>): Promise<void> {
  const rest = [...items];
  const next = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await look(item);
  };
  await Promise.all([next(), next()]);
}
