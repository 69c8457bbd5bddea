/** Runs each command of docs/shell.md, in order and in one home directory. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { topicNames } from '../../src/cli/help/topic-names.ts';
import { temporaryFolder } from '../support/files.ts';
import { serve } from '../support/process/command.ts';
import { shell } from '../support/shell.ts';

const page = readFileSync(new URL('../../docs/shell.md', import.meta.url), 'utf8');

/** The commands, each with the output shown below it. */
const commands = [...page.matchAll(/```console\n(.*?)```/gs)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...output] = part.split('\n');
      return { command, output: output.join('\n') };
    }),
);

test('every command of the page prints what the page shows', async () => {
  expect(commands.length).toBeGreaterThan(15);
  const home = temporaryFolder();
  mkdirSync(join(home, '.config', 'fish', 'completions'), { recursive: true });
  writeFileSync(join(home, 'ca.pem'), '');
  const meter = await serve(['--framing', 'length:2']);
  for (const { command, output } of commands) {
    // The manual page is not installed here, and the page's port may be in use.
    const line = command
      .replace('man yodel', 'cat "$PAGE"')
      .replace('@prod', '@prod --connect-timeout 1ms')
      .replace('localhost 7001', meter.address);
    const outcome = await shell(line, {
      cwd: home,
      env: {
        HOME: home,
        XDG_CONFIG_HOME: undefined,
        PAGE: new URL('../../man/yodel.1', import.meta.url).pathname,
      },
    });
    const said = `${outcome.stdout}${output.startsWith('yodel:') ? outcome.stderr : ''}`;
    const expected = output.replaceAll('/home/me', home).replaceAll('tcp://localhost:7001', meter.address);
    if (output !== '') expect({ command, said: bare(said) }).toEqual({ command, said: bare(expected) });
    // Nothing listens at @prod; a typo is a usage error.
    const status = command.includes('@prod') ? expect.toBeOneOf([1, 4]) : output.startsWith('yodel:') ? 2 : 0;
    expect({ command, status: outcome.status, stderr: outcome.stderr }).toMatchObject({ command, status });
  }
  for (const file of ['.bashrc', '.zshrc', '.config/fish/completions/yodel.fish', 'first.txt']) {
    expect(statSync(join(home, file)).size, file).toBeGreaterThan(0);
  }
});

/** Without the padding of columns. */
function bare(text: string): string {
  return text.replaceAll(/ +/g, ' ');
}

test('the page lists every help topic', () => {
  for (const topic of topicNames) expect(page).toContain(topic);
});
