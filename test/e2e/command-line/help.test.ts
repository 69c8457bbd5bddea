import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fullName, withCommandsBelow } from '../../../src/cli/commands.ts';
import { topicNames } from '../../../src/cli/help/topic-names.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { temporaryFolder } from '../../support/files.ts';
import { type Outcome, serve, start, yodel } from '../../support/process/command.ts';
import { runLine, runLines } from '../../support/process/command-lines.ts';
import { folderWithYodel, shell } from '../../support/shell.ts';

const program = await createProgram();
/** Every command, as the words after `yodel`. */
const commands = withCommandsBelow(program).map((command) => fullName(command).split(' ').slice(1));
const helps = await runLines(commands.map((command) => ({ args: [...command, '--help'] })));

/** The examples of all commands, each once. */
function allExamples(): string[] {
  const blocks = helps.map(({ stdout }) => /^Examples:\n((?: {2}.+\n)+)/.exec(stdout.toString())?.[1] ?? '');
  const lines = blocks.flatMap((block) => block.trimEnd().split('\n'));
  return [...new Set(lines.map((line) => line.trim().replace(/ {2,}.*$/, '')))];
}

for (const [index, command] of commands.entries()) {
  const words = ['yodel', ...command].join(' ');

  test(`${words} --help begins with examples and fits a terminal of 100 columns`, () => {
    const { stdout, stderr, status } = helps[index] as Outcome;
    const help = stdout.toString();
    expect(help).toMatch(/^Examples:\n {2}\S/);
    expect(help).toContain(`Usage: ${words} `);
    expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });
}

test.each(['', 'serve', 'config check'])(
  'yodel %s -h prints the same as --help, and so does yodel help',
  async (words) => {
    const command = words.split(' ').filter(Boolean);
    const lines = [
      [...command, '--help'],
      [...command, '-h'],
      ['help', ...command],
    ];
    const [full, short, help] = await Promise.all(lines.map((args) => yodel(args)));
    expect(full).toEqual(await runLine([...command, '--help']));
    expect(short?.stdout.toString()).toBe(full?.stdout.toString());
    expect(help?.stdout.toString()).toBe(full?.stdout.toString());
  },
);

test('every example in the help is valid usage', { timeout: 120_000 }, async () => {
  const examples = allExamples();
  expect(examples.length).toBeGreaterThan(30);
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'handler.ts'), 'export default (message) => message.text;');
  writeFileSync(join(folder, 'yodel.toml'), 'rate = "5/s"\n');
  for (const name of ['talk', 'other']) writeFileSync(join(folder, `${name}.transcript`), '> hello\n< hello\n');
  mkdirSync(join(folder, 'tests'));
  writeFileSync(join(folder, 'tests', 'a.transcript'), '> hello\n< hello\n');
  for (const name of ['questions', 'questions.txt', 'ca.pem', 'chat.creds'])
    writeFileSync(join(folder, name), 'hello\n');
  for (const name of ['.config/fish/completions', 'run']) mkdirSync(join(folder, name), { recursive: true });
  const recording = await serve(['--quiet', '--journal', join(folder, 'messages.journal'), '--journal-replies']);
  for (let session = 0; session < 3; session++) await yodel(['send', recording.address, 'ERR hello']);
  await recording.stop();
  const server = await serve(['--quiet']);
  const old = await yodel(['bench', server.address, '-n', '10', '--json']);
  writeFileSync(join(folder, 'kept.json'), old.stdout);
  const env = {
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, '.config'),
    PATH: `${folderWithYodel()}:${process.env.PATH}`,
  };
  // Each example has the files to itself: one that writes a file must not be seen by one that reads it.
  const ownFolder = (): string => {
    const own = temporaryFolder();
    cpSync(folder, own, { recursive: true });
    return own;
  };
  const inFolder = async (example: string): Promise<void> => {
    // Often nothing listens at the address of an example, or it is too slow: that is not a usage error.
    const line = example
      .replace('yodel connect', 'yodel connect --connect-timeout 1ms --wait 1ms')
      .replace('yodel bench', 'yodel bench --connect-timeout 1ms --timeout 1s -n 1')
      .replace('--compare old.json', '--compare kept.json')
      .replace('yodel check', 'yodel check --connect-timeout 1ms')
      .replace(' --follow', '')
      .replace('HOST:PORT', '127.0.0.1:1')
      // A bus may run there, and then the example would go on for ever.
      .replace(/\b127\.0\.0\.1:(6379|4222)\b/g, '127.0.0.1:1');
    const { status, stderr } = await shell(line, { cwd: ownFolder(), env });
    expect([0, 1, 3, 4], `${line}: ${stderr}`).toContain(status);
  };
  const listens = async (example: string): Promise<void> => {
    const running = start(['sh', '-c', `exec ${example}`], { cwd: ownFolder(), env });
    // The port of the example may be taken on this machine.
    await running.saw(/listening on|the address is in use/);
  };
  // Some examples use the context that another one saves, so the one that removes it is last.
  const isSaving = (example: string) => example.includes('context save');
  const isRemoving = (example: string) => example.includes('context rm');
  await Promise.all(examples.filter(isSaving).map(inFolder));
  const others = examples.filter((example) => !isSaving(example) && !isRemoving(example));
  const runs = (example: string) => (example.includes('yodel serve') ? listens : inFolder)(example);
  // All at once they would keep other tests from the processor.
  for (let at = 0; at < others.length; at += 4) await Promise.all(others.slice(at, at + 4).map(runs));
  await Promise.all(examples.filter(isRemoving).map(inFolder));
});

test('every default is in the help', async () => {
  const { stdout } = await runLine(['serve', '--help']);
  const help = stdout.toString().replaceAll(/\s+/g, ' ');
  const limits = help.slice(help.indexOf('Limits of a connection')).match(/ --[a-z-]+ <.*?(?= --|$)/g) ?? [];
  expect(limits.length).toBeGreaterThan(10);
  for (const limit of limits) expect(limit).toMatch(/\(default: .+\)/);
});

test('--version prints the version', async () => {
  const { stdout, status } = await yodel(['--version']);
  expect(stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(status).toBe(0);
});

test('the help of yodel lists all commands and topics', async () => {
  const [full, short] = await runLines([{ args: ['--help'] }, { args: ['help'] }]);
  const help = String(full?.stdout);
  for (const name of [...program.commands.map((command) => command.name()), ...topicNames]) {
    expect(help).toMatch(new RegExp(`^ {2}${name} `, 'm'));
  }
  expect(String(short?.stdout)).toBe(help);
});

describe('each topic', async () => {
  const pages = await runLines(topicNames.map((topic) => ({ args: ['help', topic] })));
  test.each(topicNames.map((topic, index) => [topic, pages[index] as Outcome] as const))(
    'yodel help %s fits a terminal of 100 columns',
    (_, { stdout, stderr, status }) => {
      expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
      const lines = stdout.toString().split('\n');
      expect(lines.length).toBeGreaterThan(3);
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(100);
    },
  );
});

test('yodel help environment names every variable of every command', async () => {
  const text = await (await runLine(['help', 'environment'])).stdout.toString();
  const variables = withCommandsBelow(program).flatMap(({ options }) => options.flatMap(({ envVar }) => envVar ?? []));
  expect(variables.length).toBeGreaterThan(30);
  for (const variable of [...variables, 'NO_COLOR', 'XDG_CONFIG_HOME']) expect(text).toContain(`  ${variable}`);
});

test.each([
  [['framng'], /there is no command or topic "framng"\. Did you mean "framing"\?/],
  [['conect'], /Did you mean "connect"\?/],
  [['exit-sttus'], /Did you mean "exit-status"\?/],
  [['context', 'sav'], /yodel context has no command "sav"\. Did you mean "save"\?/],
  [['serve', 'echo'], /yodel serve has no subcommands/],
  [['zzzzzz'], /Known: serve, connect/],
])('yodel help %j suggests what exists', async (words, expected) => {
  const { stdout, stderr, status } = await runLine(['help', ...words]);
  expect(stderr).toMatch(/^yodel: [^\n]+\n$/);
  expect(stderr).toMatch(expected);
  expect({ stdout: stdout.toString(), status }).toEqual({ stdout: '', status: 2 });
});
