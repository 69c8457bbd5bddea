/** The marks of differences in `yodel check`. */
import { expect, test } from 'vitest';
import { differingPart, markedLines } from '../../../src/cli/check/report/marks.ts';
import type { Paint } from '../../../src/terminal/style.ts';

const plain: Paint = (_style, text) => text;
const painted: Paint = (style, text) => `<${style}>${text}</${style}>`;

/** The part of a line that the mark below it is about. */
function marked(expected: string, actual: string): string | undefined {
  const [, last, mark] = markedLines(expected, actual, plain);
  return mark === undefined ? undefined : last?.slice(mark.indexOf('^'), mark.length);
}

test.each([
  ['a changed word', '< 250-mail.example.org at your service', '< 250-mail.example.com at your service', 'com'],
  ['one character more', '< {"id":1,"name":"Ada Lovelace"}', '< {"id":10,"name":"Ada Lovelace"}', '0'],
  ['one character less', '< {"id":10,"name":"Ada Lovelace"}', '< {"id":1,"name":"Ada Lovelace"}', ','],
  ['another end', '< the answer is forty-two', '< the answer is forty-three', 'hree'],
  ['hexadecimal', '<x 00 01 02 03 04 05 06 07 08 09', '<x 00 01 02 03 ff 05 06 07 08 09', 'ff'],
] as const)('%s is marked', (_, expected, actual, part) => {
  expect(marked(expected, actual)).toBe(part);
});

test('what names stand for is not marked, but a text between them that differs', () => {
  expect(marked('< session {id} of user {user} begins', '< session 42 of user Ada begins')).toBeUndefined();
  expect(marked('< session {id} of user {user} begins', '< session 42 of user Ada began')).toContain('an');
  expect(marked('< Session {id} of user {user} begins', '< session 42 of user Ada begins')).toBe(
    'session 42 of user Ada begins',
  );
  expect(marked('< the token is {token=none}; keep it', '< the ticket is 42; keep it')).toBe('icket is 42; keep it');
});

test.each([
  ['a pattern', '< /^250 .* at your service$/', '< 251 mail.example.org at your service'],
  ['a pattern in a header', '<h /Content-Length: \\d+/ | hello', '<h 41 | hello, hello, hello'],
  ['JSON', '<j {"id":1,"name":"Ada Lovelace"}', '< {"name":"Ada Lovelace","id":2}'],
  ['a short line', '< b', '< a'],
] as const)('%s has no mark', (_, expected, actual) => {
  expect(marked(expected, actual)).toBeUndefined();
});

test('wide and escaped characters are counted as they are shown', () => {
  const lines = markedLines('< 你好, the name is Ada\u0007 Lovelace', '< 你好, the name is Bob\u0007 Lovelace', plain);
  expect(lines).toEqual([
    '  - < 你好, the name is Ada\\x07 Lovelace',
    '  + < 你好, the name is Bob\\x07 Lovelace',
    `${' '.repeat(24)}^^^`,
  ]);
});

test('of a long line only the part around the difference is shown', () => {
  const long = (text: string) => `< ${'a'.repeat(5000)}${text}${'b'.repeat(5000)}`;
  const lines = markedLines(long('ONE'), long('TWO'), plain);
  expect(lines[0]).toMatch(/^ {2}- … 4962 characters … a{40}ONEb{40,80} … \d+ characters$/);
  expect(lines[1]).toMatch(/^ {2}\+ … 4962 characters … a{40}TWOb{40,80} … \d+ characters$/);
  expect(lines[2]?.trim()).toBe('^^^');
  expect(lines[1]?.slice(lines[2]?.indexOf('^'), lines[2]?.length)).toBe('TWO');
  for (const line of lines) expect(line.length).toBeLessThan(220);
});

test('a long line without anything to compare is shown whole', () => {
  expect(markedLines(`< ${'a'.repeat(500)}`, undefined, plain)[0]).toHaveLength(506);
});

test('on a terminal the differing part is bold instead', () => {
  expect(markedLines('< the answer is forty-two', '< the answer is forty-six', painted)).toEqual([
    '<red>  - < the answer is forty-</red><bold><red>two</red></bold>',
    '<green>  + < the answer is forty-</green><bold><green>six</green></bold>',
  ]);
});

test('a character outside the basic plane is not cut in two', () => {
  const part = differingPart('< smiling 😀 faces', '< smiling 😁 faces');
  expect('< smiling 😁 faces'.slice(part?.actualFrom, part?.actualTo)).toBe('😁');
});
