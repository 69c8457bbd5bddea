import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serve, start, yodel } from '../support/command.ts';
import { temporaryFolder } from '../support/files.ts';
import { folderWithYodel, shell } from '../support/shell.ts';

const commands = [[], ['serve'], ['connect'], ['bench'], ['config']];

async function examplesOf(command: readonly string[]): Promise<string[]> {
  const { stdout } = await yodel([...command, '--help']);
  const [, block = ''] = /^Examples:\n((?: {2}.+\n)+)/.exec(stdout.toString()) ?? [];
  return block
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().replace(/ {2,}.*$/, ''));
}

for (const command of commands) {
  const words = ['yodel', ...command].join(' ');

  test(`${words} --help and -h begin with examples and fit a terminal of 100 columns`, async () => {
    const { stdout, stderr, status } = await yodel([...command, '--help']);
    expect(stdout.toString()).toMatch(/^Examples:\n {2}\S/);
    expect(stdout.toString()).toContain(`Usage: ${words} `);
    expect(
      Math.max(
        ...stdout
          .toString()
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(100);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect((await yodel([...command, '-h'])).stdout.toString()).toBe(stdout.toString());
    if (command.length > 0) expect((await yodel(['help', ...command])).stdout.toString()).toBe(stdout.toString());
  });
}

test('every example in the help is valid usage', async () => {
  const examples = (await Promise.all(commands.map(examplesOf))).flat();
  expect(examples.length).toBeGreaterThan(10);
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'handler.ts'), 'export default (message) => message.text;');
  writeFileSync(join(folder, 'yodel.toml'), 'rate = "5/s"\n');
  for (const name of ['questions', 'questions.txt']) writeFileSync(join(folder, name), 'hello\n');
  const server = await serve(['--quiet']);
  const old = await yodel(['bench', server.address, '-n', '10', '--json']);
  writeFileSync(join(folder, 'kept.json'), old.stdout);
  const path = `${folderWithYodel()}:${process.env.PATH}`;
  await Promise.all(
    examples.map(async (example) => {
      if (example.includes('yodel serve')) {
        const server = start(['sh', '-c', `exec ${example}`], { cwd: folder, env: { PATH: path } });
        // The example's own port may be taken on this machine.
        await server.saw(/listening on|the address is in use/);
        return;
      }
      // Often nobody listens where the examples lead to, or it is too slow: that is no fault of the usage.
      const line = example
        .replace('yodel connect', 'yodel connect --connect-timeout 1ms --wait 1ms')
        .replace('yodel bench', 'yodel bench --connect-timeout 1ms --timeout 1s -n 1')
        .replace('--compare old.json', '--compare kept.json');
      const { status, stderr } = await shell(line.replace('HOST:PORT', '127.0.0.1:1'), { cwd: folder });
      expect([0, 1, 3, 4], `${line}: ${stderr}`).toContain(status);
    }),
  );
});

test('every default is in the help', async () => {
  const { stdout } = await yodel(['serve', '--help']);
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
