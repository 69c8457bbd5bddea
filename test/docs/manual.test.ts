/** The manual page, as programs that format manual pages see it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withCommandsBelow } from '../../src/cli/commands.ts';
import { topicNames } from '../../src/cli/help/topic-names.ts';
import { createProgram } from '../../src/cli/program.ts';
import { run } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const page = new URL('../../man/yodel.1', import.meta.url).pathname;
const nothing = { stdout: '', stderr: '', status: 0 };

async function outcome(program: readonly [string, ...string[]], env: NodeJS.ProcessEnv = {}) {
  const { stdout, stderr, status } = await run(program, { env: { LC_ALL: 'C.UTF-8', ...env } });
  return { stdout: stdout.toString(), stderr, status };
}

testWith('mandoc', 'apt-get install mandoc')('mandoc finds no errors in it', async () => {
  expect(await outcome(['mandoc', '-Tlint', '-Wwarning', page])).toEqual(nothing);
});

testWith('groff', 'apt-get install groff')('groff prints no warnings', async () => {
  const { stderr, status } = await outcome(['groff', '-man', '-Tutf8', '-k', '-ww', '-z', page]);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
});

testWith('man', 'apt-get install man-db groff')('man shows every command, flag and topic', async () => {
  const { stdout: text, stderr } = await outcome(['man', '--warnings', '-l', page], {
    MANWIDTH: '100',
    MAN_KEEP_FORMATTING: '',
  });
  expect(stderr).toBe('');
  for (const command of withCommandsBelow(await createProgram())) {
    for (const { long, hidden } of command.options) if (long && !hidden) expect(text).toContain(long);
    if (command.parent) expect(text).toMatch(new RegExp(`^ +yodel .*\\b${command.name()} `, 'm'));
  }
  for (const topic of topicNames) expect(text).toContain(`\n${topic.replaceAll('-', ' ').toUpperCase()}\n`);
  expect(text).toContain('yodel serve ./handler.ts --listen 9000');
  expect(text).toContain('delimiter:\\0');
});

test('it is published with the package', () => {
  const { man, files } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(man).toEqual(['./man/yodel.1']);
  expect(files).toContain('man');
});
