/**
 * Changes of a file that a recording does not have: headers, endings, directives, blocks, optional lines, late and additional
 * messages. Each is checked against a server that plays the original: the check is never green, and names the line.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, test } from 'vitest';
import { parseAddress } from '../../src/address.ts';
import { check } from '../../src/transcript/check.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { checkAgainstOriginal } from '../support/transcripts.ts';

/** The lines of the differences when a server plays the first text and a client the second one. */
async function namedLines(played: string, checked: string): Promise<number[]> {
  const [original, changed] = [parseTranscript(played, 'original'), parseTranscript(checked, 'mutated')];
  const { differences } = await checkAgainstOriginal(original, changed);
  return differences.map(({ line }) => line);
}

describe.concurrent('what differs in one line is noticed there', () => {
  const mqtt = '@protocol mqtt\n>x 10 | 00 04 4d 51 54 54 04 02 00 3c 00 00\n<x 20 | 00 00\n>x c0 |\n<x d0 |\n';
  const lines = '@framing lines\n> a\n< a1\n< a2\n> b\n< b1\n';
  const headers = '@framing headers\n> a\n<h\\ X: 1\\r\\n | hi\n> b\n< ho\n';
  const set = '> a\n@unordered\n< one\n< two\n< three\n@end\n> b\n< b\n';
  const loop = '@repeat 3 i\n> {i}\n< {i} of 3\n@end\n> b\n< b\n';
  const some = '> a\n<? a1\n< a2\n> b\n<? b1\n';
  const any = '> a\n<*\n< end\n> b\n< b\n';
  const json = '> a\n<j {"a": [1, {"b": "x"}], "c": null}\n';

  it.each([
    ['a byte of a header', mqtt, ['<x 20', '<x 21'], 3],
    ['a header without a payload', mqtt, ['<x d0', '<x d1'], 5],
    ['a byte in the middle', mqtt, ['| 00 00', '| 01 00'], 3],
    ['a byte more', mqtt, ['| 00 00', '| 00 00 00'], 3],
    ['a header of text', headers, ['X: 1', 'X: 2'], 3],
    ['a pattern for a header', headers, ['<h\\ X: 1\\r\\n ', '<h /X: 2/ '], 3],
    ['a line ending', lines, ['> b\n', '@expect-ending crlf\n> b\n'], 7],
    ['line endings of all lines', lines, ['> a\n', '@expect-ending crlf\n> a\n'], 4],
    ['an end too early', lines, ['> b\n', '@closed\n> b\n'], 5],
    ['an end of one side too early', lines, ['> b\n', '@close\n> b\n'], 6],
    ['silence where a message comes', lines, ['< a2\n', '@silence 50ms\n'], 4],
    ['no end where one is expected', lines, ['< b1\n', '< b1\n@closed\n'], 7],
    ['the last line', lines, ['< b1', '< b2'], 6],
    ['the last line is missing in the file', lines, ['< b1\n', ''], 5],
    ['a line after the last one', lines, ['< b1\n', '< b1\n< b2\n'], 7],
    ['an unordered line', set, ['< two', '< 2'], 4],
    ['an unordered line less', set, ['< two\n', ''], 3],
    ['an unordered line more', set, ['< two\n', '< two\n< two\n'], 5],
    ['a line of a loop', loop, ['of 3', 'of 4'], 3],
    ['a round less', loop, ['@repeat 3', '@repeat 2'], 6],
    ['a round more', loop, ['@repeat 3', '@repeat 4'], 3],
    ['a line after an optional one', some, ['< a2', '< a3'], 3],
    ['an optional line with another text', some, ['<? a1', '<? a0'], 1],
    ['the last optional line with another text', some, ['<? b1', '<? b0'], 4],
    ['the line after a wildcard', any, ['< end', '< END'], 3],
    ['a value in JSON', json, ['"x"', '"y"'], 2],
    ['a number in JSON', json, ['[1', '[2'], 2],
    ['a key less in JSON', json, [', "c": null', ''], 2],
    ['null instead of nothing in JSON', json, ['"c": null', '"c": null, "d": null'], 2],
  ] as const)('%s', async (_, text, [before, after], line) => {
    expect(await namedLines(text, text)).toEqual([]);
    expect(text).toContain(before);
    const named = await namedLines(text, text.replace(before, after));
    expect(named[0]).toBe(line);
  });
});

describe.concurrent('a server that sends', () => {
  const text = '> a\n< a\n> b\n< b\n';

  /** Answers each line with the same one, then with what `more` says. Ends its side with what `end` says, a little later. */
  async function checkedWith(more: (line: string) => string, end = '') {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let text = '';
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        const lines = `${text}${chunk}`.split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) socket.write(`${line}\n${more(line)}`);
      });
      socket.on('end', () => setTimeout(() => socket.end(end), 50));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const { differences } = await check(parseTranscript(text, 'talk'), {
        address: parseAddress(address),
        timeoutMs: 700,
        quietMs: 250,
      });
      return differences.map(({ line }) => line);
    } finally {
      server.close();
    }
  }

  test('nothing more is as expected', async () => {
    expect(await checkedWith(() => '')).toEqual([]);
  });

  test('a message more after the last one', async () => {
    expect(await checkedWith((line) => (line === 'b' ? 'more\n' : ''))).toEqual([4]);
  });

  test('a message more after the first one', async () => {
    const named = await checkedWith((line) => (line === 'a' ? 'more\n' : ''));
    expect(named).toHaveLength(1);
    // It may be read after the next request was sent.
    expect([2, 3]).toContain(named[0]);
  });

  test.each(['bye\n', 'unfinished'])('%j after the client has ended its side', async (bye) => {
    expect(await checkedWith(() => '', bye)).toEqual([4]);
  });

  test('the last message as an unfinished one', async () => {
    expect((await checkedWith((line) => (line === 'b' ? 'b' : '')))[0]).toBe(4);
  });
});
