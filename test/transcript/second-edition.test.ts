/** What the second edition of the format has: blocks, other files, second connections; and what can be played of it. */
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/address.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import { bytesOf } from '../../src/transcript/content.ts';
import { destinationOf, valuesOfListener } from '../../src/transcript/destination.ts';
import { endingDifference } from '../../src/transcript/ending.ts';
import { namesOfTranscript } from '../../src/transcript/names.ts';
import { type ParseOptions, parseTranscript } from '../../src/transcript/parse.ts';
import { refuseUnplayable } from '../../src/transcript/playable.ts';
import type { Side, StepOf, Transcript } from '../../src/transcript/transcript.ts';
import { Values } from '../../src/transcript/values.ts';
import { lineOf, stepsIn } from '../../src/transcript/walk.ts';

/** Parses a text that may include others. */
function parse(text: string, files: Record<string, string> = {}, options: ParseOptions = {}): Transcript {
  const readFile = (path: string) => {
    const found = files[path];
    if (found === undefined) throw new Error(`cannot read ${path}: no such file`);
    return found;
  };
  return parseTranscript(text, 'tests/talk.transcript', { readFile, ...options });
}

describe('a transcript', () => {
  it('has optional messages, any messages, and blocks', () => {
    const { steps } = parse('<? a\n>?x 00\nAda<*\nAda>*  \n@unordered\n< a\n<? b\n@end\n'.replaceAll('Ada', ''));
    expect(steps).toMatchObject([
      { kind: 'message', side: '<', isOptional: true, line: 1 },
      { kind: 'message', side: '>', isOptional: true, content: { parts: [Buffer.of(0)] } },
      { kind: 'any', side: '<', client: '', line: 3 },
      { kind: 'any', side: '>' },
      {
        kind: 'unordered',
        line: 5,
        steps: [
          { line: 6, isOptional: false },
          { line: 7, isOptional: true },
        ],
      },
    ]);
  });

  it('has the steps of the files that it includes, with their places', () => {
    const files = {
      'tests/parts/login.transcript': '# a comment\n> user {user}\n@include ../more.transcript\n',
      'tests/more.transcript': '@framing length:2\n@repeat 2\n< more\n@end\n',
    };
    // @framing after a message is refused with its place.
    expect(() => parse('@include parts/login.transcript\n> x\n', files)).toThrow(
      expect.objectContaining({ file: 'tests/more.transcript', line: 1, column: 1 }),
    );
    files['tests/more.transcript'] = '@repeat 2\n< more\n@end\n';
    const transcript = parse('@include parts/login.transcript\n> x\n', files);
    const found = [...stepsIn(transcript)].map((step) => [step.file, step.line, lineOf(transcript, step)]);
    expect(found).toEqual([
      ['tests/parts/login.transcript', 2, '> user {user}'],
      ['tests/more.transcript', 1, '@repeat 2'],
      ['tests/more.transcript', 2, '< more'],
      [undefined, 2, '> x'],
    ]);
    expect(transcript.lines).toEqual(['@include parts/login.transcript', '> x']);
  });

  it.each([
    ['@include gone.transcript', {}, 1, 'cannot read tests/gone.transcript: no such file'],
    ['> a\n@include talk.transcript', {}, 2, 'includes itself: tests/talk.transcript > tests/talk.transcript'],
    [
      '@include a.transcript',
      { 'tests/a.transcript': '@include b.transcript', 'tests/b.transcript': '@include a.transcript' },
      1,
      'tests/talk.transcript > tests/a.transcript > tests/b.transcript > tests/a.transcript',
    ],
    ['@repeat 2\n@include a.transcript', { 'tests/a.transcript': '> a\n@end' }, 2, '@end without @repeat'],
    ['@include a.transcript\n@end', { 'tests/a.transcript': '@repeat 2\n> a' }, 1, '@repeat has no @end'],
  ])('%j with %j is refused', (text, files, line, problem) => {
    expect(() => parse(text, files as unknown as Record<string, string>)).toThrow(
      expect.objectContaining({ line, message: expect.stringContaining(problem) }),
    );
  });

  it('may include the same file twice, also in a block', () => {
    const { steps } = parse('@include a\n@repeat 3\n@include a\n@end\n', { 'tests/a': '> a\n' });
    expect(steps).toMatchObject([{ kind: 'message' }, { kind: 'repeat', count: 3, steps: [{ kind: 'message' }] }]);
  });

  it('has functions of your own', () => {
    const readModule = (path: string) => ({
      rot13: (bytes: Uint8Array) =>
        Buffer.from(bytes)
          .toString()
          .replace(/[a-z]/g, (one) => (one === 'a' ? 'n' : one)),
      twice: (bytes: Uint8Array) => Buffer.concat([bytes, bytes]),
      broken: () => {
        throw new Error('no key');
      },
      wrong: () => 5,
      path,
      default: () => '',
    });
    const sent = (line: string) => {
      const [step] = parse(`@use ./own.ts\n${line}`, {}, { readModule }).steps;
      return step?.kind === 'message'
        ? bytesOf(step.content, new Values({ given: { a: 'a1' } }))?.toString()
        : undefined;
    };
    expect(sent('> {rot13:{a}b}')).toBe('n1b');
    expect(sent('> {twice:{a}}')).toBe('61316131');
    expect(sent('>x {twice:{a}} {rot13:61}')).toBe('a1a1n');
    expect(sent('> {path:x} {default:x}')).toBe('{path:x} {default:x}');
    expect(() => sent('> {broken:x}')).toThrow(/the function \{broken:…\} failed: no key/);
    expect(() => sent('> {wrong:x}')).toThrow(/must return a Uint8Array or a string, and returned number/);
    const reading = (exported: Record<string, unknown>) => () =>
      parse('@use own.ts', {}, { readModule: () => exported });
    expect(reading({ md5: () => '' })).toThrow(/exports "md5", which is a function of transcripts already; rename it/);
    expect(reading({ a: 1 })).toThrow(/exports no function/);
  });

  it('knows the times in a recording, which are comments elsewhere', () => {
    const { steps } = parse('> a\n#+ 12ms\n#+ later\n# + 12ms\n< b\n@unordered\n< a\n#+ 5ms\n< b\n@end');
    expect(steps.map(({ kind }) => kind)).toEqual(['message', 'pace', 'message', 'unordered']);
    expect(steps[1]).toMatchObject({ ms: 12, line: 2 });
  });

  it('has second connections beside a client without a name', () => {
    const { steps, clients } = parse(
      '< 227 ({data})\n@connect data {data} framing=raw insecure\ndata< x\n> QUIT\n@closed data\n@connect data 127.0.0.1:{port}',
    );
    expect(clients).toEqual(['', 'data']);
    expect(steps[1]).toMatchObject({ kind: 'connect', client: 'data', tls: { insecure: true } });
    expect((steps[1] as StepOf<'connect'>).wire?.replyFraming.name).toBe('raw');
    expect((steps[5] as StepOf<'connect'>).wire).toBeUndefined();
  });

  it('lists the names that it uses', () => {
    const text =
      '> {a} {b={c}} {md5:{d}}\n<j {"x":"{e}","y":{f}}\n< /(?<g>.)/\n@set h={i}\n@repeat 2 j\n<h {k} | \n@end\n@connect l :{m}';
    expect(namesOfTranscript(parse(text)).join('')).toBe('abcdefghijkm');
  });
});

/** The place and text of what cannot be played; undefined if it can. */
function refusal(text: string, played: Side, options: ParseOptions = {}) {
  try {
    refuseUnplayable(parse(text, {}, options), played);
    return undefined;
  } catch (error) {
    const { line, column, message } = error as { line: number; column: number; message: string };
    return `${line}:${column} ${message.replace(/^\S+ /, '')}`;
  }
}

describe('before a play', () => {
  it.each([
    ['> {a}', '>', /^1:3 \{a\} has no value yet/],
    ['> {a=1}\n> {a}', '>', undefined],
    ['> {b={a}}', '>', /^1:6 \{a\} has no value/],
    ['> x {md5:{a}}', '>', /^1:10 \{a\} has no value/],
    ['@set a=1\n> {a}', '>', undefined],
    ['@set a={b}', '>', /^1:8 \{b\} has no value/],
    ['@repeat 2 i\n> {i}\n< {x}\n@end\n> {x}', '>', undefined],
    ['@repeat 2\n> {x}\n< {x}\n@end', '>', /^2:3 \{x\}/],
    ['@unordered\n> {x}\n> b\n@end', '>', /^2:3 \{x\}/],
    ['>j {"a":{x}}', '>', /^1:9 \{x\}/],
    ['>h {x:2} | a', '>', /^1:4 \{x\}/],
    ['>? {a}', '>', /^1:4 \{a\} has no value yet/],
    ['<? {a}', '<', undefined],
    ['<? /a/', '<', undefined],
    ['<h /a/ | a', '<', /^1:3 a server cannot send a pattern/],
    ['> {env:YODEL_NOT_SET}', '>', /^1:3 the environment variable YODEL_NOT_SET is not set/],
    ['> {env:YODEL_NOT_SET=1}', '>', undefined],
    ['< {env:YODEL_NOT_SET}', '>', /^1:3 the environment variable YODEL_NOT_SET is not set/],
    ['> {uuid} {now} {now:unix} {random:8}', '>', undefined],
    ['< {a}{b}', '>', /^1:3 where \{a\} ends and \{b\} begins cannot be known/],
    ['< {a}\n< {a}{b}', '>', undefined],
    ['< {a:2}{b}', '>', undefined],
    ['< {a}{b:2}', '>', undefined],
    ['< {a}{b=1}', '>', /^1:3 where/],
    ['< {a}{a}', '>', undefined],
    ['< {b}{a}', '<', /^1:3 \{b\} has no value/],
    ['<j {"a":"{a}{b}"}', '>', /^1:10 where/],
    ['<j {"a":"{a}","b":"{b}"}', '>', undefined],
    ['>? {a}{b}', '<', /^1:4 where/],
    ['< {md5:{a}}', '>', /^1:8 \{a\} has no value: neither this line nor an earlier one captures it/],
    ['< {md5:{a}} {a}', '>', undefined],
    ['@expect-ending crlf\n< a', '>', undefined],
    ['@framing length:2\n@expect-ending crlf', '>', /^2:1 messages of the framing length:2 have no endings/],
    ['@framing length:2\n@reply-framing lines\n@expect-ending crlf', '>', undefined],
    ['@framing length:2\n@reply-framing lines\n@expect-ending crlf', '<', /^3:1 messages of the framing length:2/],
    ['@connect data 127.0.0.1:{port}', '>', /^1:25 \{port\} has no value/],
    ['@connect data 127.0.0.1:{port}\n< {port}', '<', undefined],
    ['@connect d :1 framing=length:1\nd>h 00 | a', '>', /no header/],
    ['@framing length:1\n@connect d :1 framing=lines\nd>\\ a\\nb', '>', /line feed/],
  ] as const)('%j for %s: %s', (text, played, expected) => {
    const problem = refusal(text, played);
    if (expected) expect(problem).toMatch(expected);
    else expect(problem).toBeUndefined();
  });

  it('knows the values from outside', () => {
    expect(refusal('> {a}{b}\n< {b}{c}', '>', { variables: { a: '1', b: '2' } })).toBeUndefined();
    expect(refusal('> {a}{b}', '>', { variables: { a: '1' } })).toMatch(/^1:6 \{b\}.*--var b=…/);
  });

  it('names the line of an included file', () => {
    const transcript = parse('@include a', { 'tests/a': '# x\n> {a}' });
    expect(() => refuseUnplayable(transcript, '>')).toThrow(
      expect.objectContaining({ file: 'tests/a', line: 2, column: 3, excerpt: '  > {a}\n    ^' }),
    );
  });
});

describe('the address of a second connection', () => {
  const addressIn = (text: string) => {
    const step = parse(text).steps.find(({ kind }) => kind === 'connect') as StepOf<'connect'>;
    return step.address as NonNullable<typeof step.address>;
  };

  it.each([
    ['127.0.0.1:{port}', 'tcp://127.0.0.1:50011'],
    ['{data}', 'tcp://127.0.0.1:50012'],
    ['{data},{port}', undefined],
    ['tls://{host}:{port}', 'tls://example.org:50011'],
    ['10,0,0,1,4,210', 'tcp://10.0.0.1:1234'],
  ])('%s is %s', (address, expected) => {
    const values = new Values({ given: { port: '50011', data: '127,0,0,1,195,92', host: 'example.org' } });
    const read = () => String(destinationOf(addressIn(`@connect data ${address}`), values));
    if (expected === undefined) expect(read).toThrow();
    else expect(read()).toBe(expected);
  });

  it('is an error that names what has no value', () => {
    expect(() => destinationOf(addressIn('@connect data :{port}'), new Values())).toThrow(/\{port\} has no value/);
  });

  it.each([
    ['@connect data 127.0.0.1:{port}', { port: '50012' }],
    ['< 229 Extended (|||{port}|)\n@connect data {host}:{port}', { port: '50012', host: '127.0.0.1' }],
    ['< 227 Passive ({data}).\n@connect data {data}', { data: '127,0,0,1,195,92' }],
    ['< at {data}\n@connect data {data}', { data: '127.0.0.1:50012' }],
    [
      '< ({a},{b},{c},{d},{e},{f})\n@connect data {a},{b},{c},{d},{e},{f}',
      { a: '127', b: '0', c: '0', d: '1', e: '195', f: '92' },
    ],
    ['@connect data 127.0.0.1:7', {}],
  ])('of a mock: %j gives %j', (text, expected) => {
    const transcript = parse(text);
    const values = valuesOfListener(transcript, addressIn(text), parseAddress('127.0.0.1:50012'));
    expect(Object.fromEntries([...values].map(([name, value]) => [name, value.toString()]))).toEqual(expected);
    const address = destinationOf(addressIn(text), new Values({ given: Object.fromEntries(values) }));
    expect(String(address)).toMatch(/^tcp:\/\/127\.0\.0\.1:(50012|7)$/);
  });
});

it('the ending of a received message is compared', () => {
  const decoder = lines().createDecoder({ maxMessageLength: 100, onTooLong: 'close', encoding: 'binary' });
  const [one, other] = decoder.decode(Buffer.from('a\nb\r\n'));
  decoder.decode(Buffer.from('c'));
  const [last] = decoder.end();
  if (!one || !other || !last) throw new Error('three lines were expected');
  const crlf = Buffer.from('\r\n');
  expect(endingDifference(one, crlf)).toBe('it ends with LF, and not with CRLF');
  expect(endingDifference(other, crlf)).toBeUndefined();
  expect(endingDifference(last, crlf)).toBe('it ends with the end of the input, and not with CRLF');
  expect(endingDifference(last, Buffer.alloc(0))).toBeUndefined();
  expect(endingDifference(one, undefined)).toBeUndefined();
  expect(endingDifference(one, Buffer.of(0))).toBe('it ends with LF, and not with \\x00');
});
