import { describe, expect, it, test } from 'vitest';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { TranscriptError } from '../../src/transcript/transcript.ts';

describe('a transcript', () => {
  it('consists of messages, comments, directives and blank lines', () => {
    const { steps, clients, framing, address } = parseTranscript(
      [
        '# hello',
        '@framing length:2',
        '@address :7000',
        '',
        '> ask',
        '< answer',
        '@wait 1.5s',
        '@close',
        '@closed',
      ].join('\n'),
    );
    expect(framing?.name).toBe('length:2');
    expect(address).toBe('tcp://127.0.0.1:7000');
    expect(clients).toEqual(['']);
    expect(steps).toMatchObject([
      { kind: 'message', side: '>', client: '', line: 5, content: { kind: 'parts', parts: [Buffer.from('ask')] } },
      { kind: 'message', side: '<', client: '', line: 6, content: { kind: 'parts', parts: [Buffer.from('answer')] } },
      { kind: 'wait', ms: 1500, line: 7 },
      { kind: 'close', client: '', line: 8 },
      { kind: 'closed', client: '', line: 9 },
    ]);
  });

  it('may have several named clients', () => {
    const { steps, clients } = parseTranscript('Ada> hello\nBob< hello\n@reset Ada\n@silence 10ms Bob\n');
    expect(clients).toEqual(['Ada', 'Bob']);
    expect(steps.map((step) => 'client' in step && step.client)).toEqual(['Ada', 'Bob', 'Ada', 'Bob']);
  });

  it('keeps spaces at the end of a message, and accepts CRLF line ends and a byte order mark', () => {
    const { steps } = parseTranscript('\ufeff> a \r\n>\r\n');
    const parts = steps.map((step) => step.kind === 'message' && step.content.kind === 'parts' && step.content.parts);
    expect(parts).toEqual([[Buffer.from('a ')], []]);
  });

  it.each([
    ['> {', '{'],
    ['> {"id":1}', '{"id":1}'],
    ['> {1}', '{1}'],
    ['> /usr/bin', '/usr/bin'],
    ['> # no comment', '# no comment'],
    ['> > deep', '> deep'],
    ['>\\ \\x41\\n\\r\\t\\0\\\\\\{a}\\/\\u{1f600}\\ ', 'A\n\r\t\0\\{a}/😀 '],
    ['>\\no space', 'no space'],
    ['>x 41 4243', 'ABC'],
    ['>x', ''],
    ['>x41', 'A'],
  ])('%s', (line, text) => {
    const [step] = parseTranscript(line).steps;
    const parts = step?.kind === 'message' && step.content.kind === 'parts' ? step.content.parts : [];
    expect(Buffer.concat(parts as Uint8Array[]).toString()).toBe(text);
  });

  it('reads names in braces, and patterns', () => {
    const [one, other] = parseTranscript('< token={t}, {t}\n< /^(?<n>\\d+)$/i\n').steps;
    expect(one).toMatchObject({
      content: { parts: [Buffer.from('token='), { name: 't' }, Buffer.from(', '), { name: 't' }] },
    });
    expect(other).toMatchObject({ content: { kind: 'pattern', pattern: /^(?<n>\d+)$/i } });
  });
});

/** Malformed text, the line and column of the error, and its message. */
const malformed: readonly (readonly [string, number, number, RegExp])[] = [
  ['hello', 1, 1, /a line starts with > or < \(also A> for a client named A\), # or @/],
  ['  > hello', 1, 3, /indentation is not allowed/],
  ['> a\n\nnonsense', 3, 1, /a line starts with/],
  ['A-b c> hello', 1, 1, /a line starts with/],
  [
    '>hello',
    1,
    2,
    /the arrow must be followed by a space and text, by \\ and text with escapes, by x and hexadecimal digits, by j and JSON, or by h/,
  ],
  ['<hello', 1, 2, /the arrow must be followed/],
  ['A>hello', 1, 3, /the arrow must be followed/],
  ['>\\ \\q', 1, 4, /unknown escape \\q; known escapes are \\n/],
  ['>\\ a\\', 1, 5, /unfinished escape at the end; a backslash is written \\\\/],
  ['>\\ \\x1', 1, 4, /\\x takes two hexadecimal digits, such as \\x1b/],
  ['>\\ \\xzz', 1, 4, /\\x takes two hexadecimal digits/],
  ['>\\ \\u41', 1, 4, /\\u takes a number in braces/],
  ['>\\ \\u{110000}', 1, 4, /\\u\{110000\} is not a character; the highest is/],
  ['>\\ \\u{d800}', 1, 4, /is not a character/],
  ['>x 4', 1, 4, /a byte is two hexadecimal digits, such as 0a/],
  ['>x 41 4', 1, 7, /a byte is two hexadecimal digits/],
  ['>x 4g', 1, 5, /"g" is not a hexadecimal digit/],
  ['>x 4 1', 1, 4, /a byte is two hexadecimal digits/],
  ['< /(/', 1, 4, /invalid pattern: /],
  ['< /[/', 1, 4, /written in the form with escapes: \\\//],
  ['< /a/g', 1, 6, /a pattern takes the flags i, m, s and u, not "g"/],
  ['< /a/ii', 1, 6, /a pattern flag is repeated/],
  ['@', 1, 1, /@ must be followed by one of: address, framing/],
  ['@waitt 5s', 1, 1, /unknown directive @waitt\. Did you mean "wait"\?/],
  ['@wait', 1, 6, /expected a time such as 500ms, 10s or 5m/],
  ['@wait long', 1, 7, /expected a time/],
  ['@wait 5s 6s', 1, 10, /unexpected "6s"/],
  ['@timeout -1s', 1, 10, /expected a time/],
  ['@framing', 1, 9, /expected a framing such as lines/],
  ['@framing words', 1, 10, /unknown framing "words"\. Known: lines/],
  ['> a\n@framing lines', 2, 1, /@framing must come before the first message/],
  ['@framing lines\n@framing raw', 2, 1, /@framing is given twice/],
  ['@address', 1, 9, /expected an address/],
  ['@address 1.2.3.4:99999', 1, 10, /99999/],
  ['@ending', 1, 8, /@ending takes lf, crlf, none, default, or bytes such as/],
  ['@ending cr', 1, 9, /@ending takes lf, crlf, none, default, or bytes such as/],
  ['@silence A', 1, 10, /expected a time/],
  ['@silence 5s 5A', 1, 13, /"5A" is not a client name/],
  ['@close A B', 1, 10, /unexpected "B"/],
  ['@connect A tls', 1, 12, /"tls" is no address with a port, and no option: @connect takes a client name, an address/],
  ['@connect cacert=', 1, 10, /@connect takes/],
  ['> a\n< a\n@connect insecure', 3, 1, /the client is already connected/],
  ['@connect A\n@connect B\n@connect A', 3, 10, /A is already connected/],
  ['@silence 1s A\n@connect A', 2, 10, /A is already connected/],
  ['> a\nB> b', 2, 1, /earlier lines have no name, but this one belongs to B: name all clients, or none/],
  ['A> a\n< b', 2, 1, /with several clients every line needs a name, such as A>/],
  ['A> a\n@close', 2, 1, /with several clients every line needs a name/],
  ['<* more', 1, 2, /the arrow must be followed/],
  ['<?hello', 1, 3, /the arrow must be followed/],
  ['>j {"a":}', 1, 9, /expected a JSON value/],
  ['>j', 1, 3, /expected a JSON value/],
  ['>bj 01', 1, 6, /expected the end of the JSON value/],
  ['> {now:%Q}', 1, 8, /unknown "%Q" in a time; known are %Y/],
  ['> {now:later}', 1, 8, /a time takes iso, unix, ms, http, or codes/],
  ['> {random:x}', 1, 11, /takes a number of characters, such as \{random:8\}/],
  ['> {env:}', 1, 8, /takes the name of an environment variable/],
  ['> a {id:0}', 1, 5, /\{id:0\} captures nothing/],
  ['>x 00 {id', 1, 7, /"\{" is not a hexadecimal digit/],
  ['>x 00 {crc16: zz}', 1, 15, /"z" is not a hexadecimal digit/],
  ['>h {id:2} hello', 1, 16, /the header must be followed by \|/],
  ['<h /a b', 1, 8, /the pattern of a header must be followed by/],
  ['<h /(/ | x', 1, 5, /invalid pattern/],
  ['@repeat 0\n> a\n@end', 1, 9, /@repeat takes a number of rounds and a name/],
  ['@repeat two words\n', 1, 13, /unexpected "words"/],
  ['@repeat 2 3\n', 1, 11, /@repeat takes a number of rounds and a name/],
  ['> a\n@repeat 2\n> b', 2, 1, /@repeat has no @end/],
  ['@unordered\n< a\n', 1, 1, /@unordered has no @end/],
  ['@repeat 2\n@end', 2, 1, /there is nothing between @repeat in line 1 and this @end/],
  ['> a\n@end', 2, 1, /@end without @repeat or @unordered/],
  ['@end now', 1, 6, /unexpected "now"/],
  ['@unordered\n< a\n@wait 1s', 3, 1, /between @unordered and @end there are only messages/],
  ['@unordered\n< a\n<*', 3, 1, /between @unordered and @end there are only messages/],
  ['@unordered\n@repeat', 2, 1, /between @unordered and @end there are only messages/],
  ['@unordered\n< a\n> b\n@end', 3, 1, /are all from one side; the first one is </],
  ['@set', 1, 5, /expected a name and its value: @set user=Ada/],
  ['@set user', 1, 6, /expected a name and its value/],
  ['@set a={now:%Q}', 1, 13, /unknown "%Q"/],
  ['@ignore', 1, 8, /expected JSON paths such as/],
  ['@ignore $.a id', 1, 13, /a JSON path starts with \$/],
  ['@ignore $.a[', 1, 12, /cannot read "\["/],
  ['@expect-ending default', 1, 16, /@expect-ending takes lf, crlf, none, any, or bytes/],
  ['@ending any', 1, 9, /@ending takes lf, crlf, none, default, or bytes/],
  ['@include', 1, 9, /expected a file/],
  ['@include a.transcript', 1, 10, /@include needs the option readFile/],
  ['@use ./a.ts', 1, 6, /@use needs the option readModule/],
  ['@connect data 127.0.0.1:99999', 1, 15, /99999/],
  ['@connect data 1,2,3,4,5,256', 1, 15, /above 255/],
  ['@connect data :1 framing=words', 1, 18, /unknown framing "words"/],
  ['@connect data :1 framing=raw protocol=smtp', 1, 1, /protocol= says both framings/],
  ['@connect data :1 secure', 1, 18, /@connect takes a client name, an address, framing=F/],
  ['@connect data framing=raw', 1, 15, /@connect takes a client name, and cacert=FILE/],
  ['> a\n@connect data :1\n@connect data :1', 3, 10, /data is already connected/],
  ['Ada> a\n@connect Ada :1', 2, 10, /Ada belongs to the server of this transcript/],
  [`> ${'{a='.repeat(60)}}`, 1, 156, /more than 50 braces in each other/],
  ['@starttls A B', 1, 13, /@starttls takes a client name, and cacert=FILE/],
];

test.each(malformed)('reports %j at line %i, column %i', (text, line, column, expectedMessage) => {
  let error: unknown;
  try {
    parseTranscript(text, 'talk.transcript');
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(TranscriptError);
  const { message, excerpt, ...place } = error as TranscriptError;
  expect(place).toMatchObject({ file: 'talk.transcript', line, column, code: 'YODEL_INVALID_TRANSCRIPT' });
  expect(message).toMatch(new RegExp(`^talk\\.transcript:${line}:${column}: `));
  expect(message).toMatch(expectedMessage);
  const [shown, mark] = excerpt.split('\n');
  expect(shown).toBe(`  ${text.split('\n')[line - 1]}`);
  expect(mark).toMatch(/^\s*\^$/);
  expect(mark?.length).toBe(column + 2);
});
