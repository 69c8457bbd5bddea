/** What `yodel bench` sends, as its flags say. */
import { expect, test } from 'vitest';
import { benchCommand } from '../../../src/cli/bench/command.ts';
import { readBenchSettings } from '../../../src/cli/bench/settings.ts';
import { payloadsOf } from '../../../src/load/payload.ts';
import { temporaryFile } from '../../support/files.ts';

/** The settings of a command line. */
async function settingsOf(args: readonly string[]) {
  const command = benchCommand().exitOverride();
  command.parseOptions([...args]);
  return (await readBenchSettings('127.0.0.1:1', undefined, command.opts())).load;
}

/** The first bytes that a connection sends. */
async function sent(args: readonly string[], length: number): Promise<string> {
  const { bytes } = payloadsOf(await settingsOf(args))(1);
  return Buffer.concat([bytes, bytes]).toString('latin1').slice(0, length);
}

test.each([
  ['escapes', ['--message', 'a\\tb\\x00\\\\', '-e'], 'a\tb\0\\\n'],
  ['hexadecimal digits', ['--message', '00 FF 0d', '--hex', '--framing', 'length:1'], '\x03\0\xff\r'],
  ['without --escapes, a backslash as it is', ['--message', 'a\\tb'], 'a\\tb\n'],
  ['CRLF', ['--message', 'PING', '--crlf'], 'PING\r\nPING\r\n'],
  ['several messages in turn', ['--message', 'one', '--message', 'two'], 'one\ntwo\n'],
  ['a header', ['--protocol', 'mqtt', '--header', 'c0', '--message', ''], '\xc0\0\xc0\0'],
  [
    'a header of text, and a payload',
    ['--framing', 'headers', '--header', 'text:X: y\\r\\n', '--message', '{}'],
    'Content-Length: 2\r\nX: y\r\n\r\n{}',
  ],
  ['generated messages with CRLF', ['--size', '6', '--crlf'], '1-1-67\r\n1-2-78\r\n'],
])('sends %s', async (_, args, expected) => {
  expect(await sent(args, expected.length)).toBe(expected);
});

test('sends the lines of a file with escapes, whatever bytes they have', async () => {
  const file = temporaryFile('escaped.txt', Buffer.from('a\\x41\n\xe9\\n\xff\n', 'latin1'));
  expect(await sent(['--message-file', file, '-e', '--framing', 'length:1'], 7)).toBe('\x02aA\x03\xe9\n\xff');
});

test.each([
  [['--message', 'a\\q', '-e'], /--message: unknown escape "\\q"/],
  [['--message', 'abc', '--hex'], /--message: with --hex, a message is pairs of hexadecimal digits.*"abc"/],
  [['--hex'], /--hex needs --message or --message-file/],
  [['--header', '00', '--message', 'x'], /the framing "lines" has no header; omit --header/],
  [['--crlf', '--framing', 'length:4'], /--crlf needs a framing of lines, not "length:4"/],
  [['--binary', '--message', 'x'], /--binary is only for WebSocket/],
  [['--error-pattern', 'x', '--replies', 'echo'], /--error-pattern is for counted replies: omit --replies echo/],
])('refuses %j', async (args, message) => {
  await expect(settingsOf(args)).rejects.toThrow(message);
});

test.each([
  [[], 'echo'],
  [['--error-pattern', '^-ERR'], 'count'],
  [['--protocol', 'redis'], 'count'],
  [['--reply-framing', 'length:4'], 'count'],
  [['--greeting', '1'], 'echo'],
])('with %j, replies are expected to be of the kind %s', async (args, replies) => {
  expect((await settingsOf(args)).replies).toBe(replies);
});
