import { describe, expect, it } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import { length } from '../../src/framing/counted/length.ts';
import { delimiter } from '../../src/framing/delimited/delimiter.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import { formatBytes, parseBytes } from '../../src/framing/escapes.ts';
import { encode } from '../../src/framing/framing.ts';
import { framingKinds, isFramingFile, parseFraming, parseWith } from '../../src/framing/notation.ts';
import { fc } from '../support/fast-check.ts';
import { show } from './outcome.ts';

describe('the text form of a framing', () => {
  it.each([
    ['lines', 'lines'],
    ['raw', 'raw'],
    ['delimiter:\\0', 'delimiter:\\0'],
    ['delimiter:||', 'delimiter:||'],
    ['delimiter:\\x0d\\x0A', 'delimiter:\\r\\n'],
    ['delimiter:\\t\\\\', 'delimiter:\\t\\\\'],
    [`delimiter:${'x'.repeat(64)}`, `delimiter:${'x'.repeat(64)}`],
    ['delimiter: ', 'delimiter:\\x20'],
    ['delimiter::', 'delimiter::'],
    ['delimiter:é', 'delimiter:\\xc3\\xa9'],
    ['delimiter:\n', 'delimiter:\\n'],
    ['delimiter:a,b', 'delimiter:a,b'],
    ['delimiters:\\n,\\0', 'delimiters:\\n,\\0'],
    ['delimiters:\\x2c,||', 'delimiters:\\x2c,||'],
    ['delimiters:\\n', 'delimiter:\\n'],
    ['between:\\x0b,\\x1c\\x0d', 'between:\\x0b,\\x1c\\r'],
    ['between:\\x2c,\\x2c\\x2c', 'between:\\x2c,\\x2c\\x2c'],
    ['between:$,#,gap=\\n', 'between:$,#,gap=\\n'],
    ['between:$,#,escape=\\\\,gap=\\n', 'between:$,#,gap=\\n,escape=\\\\'],
    ['netstring', 'netstring'],
    ['octet-counted', 'octet-counted'],
    ['octet-counted:mixed', 'octet-counted:mixed'],
    ['octet-counted:mixed,nul', 'octet-counted:mixed,nul'],
    ['headers', 'headers'],
    ['headers:max=8192', 'headers'],
    ['headers:max=1024', 'headers:max=1024'],
    ['length', 'length:4'],
    ['length:2', 'length:2'],
    ['length:little', 'length:4,little'],
    ['length:big,8', 'length:8'],
    ['length:4,offset=1024', 'length:4,offset=1024'],
    ['length:inclusive,adjust=-2,offset=3,little,1', 'length:1,little,offset=3,inclusive,adjust=-2'],
    ['length:3,little,after=1', 'length:3,little,after=1'],
    ['length:4,digits', 'length:4,digits'],
    ['length:2,bcd', 'length:2,bcd'],
    ['length:varint', 'length:varint'],
    ['length:4,varint', 'length:4,varint'],
    ['length:2,offset=4,after=1,counts=rest', 'length:2,offset=4,after=1,counts=rest'],
    ['length:2,offset=2,counts=frame', 'length:2,offset=2,counts=frame'],
    ['length:4,counts=self', 'length:4,inclusive'],
    ['slip', 'slip'],
    ['cobs', 'cobs'],
    ['resp', 'resp'],
    ['resp:inline', 'resp:inline'],
    ['until(lines,/^\\d{3}( |$)/)', 'until(lines,/^\\d{3}( |$)/)'],
    ['until(delimiter:,/,/a,/i)', 'until(delimiter:,/,/a,/i)'],
    ['until(lines,/a,/b/)', 'until(lines,/a,\\/b/)'],
    ['until(until(length:2,digits,/x/),/y/)', 'until(until(length:2,digits,/x/),/y/)'],
  ])('%j is the framing named %s', (text, name) => {
    expect(parseFraming(text).name).toBe(name);
    expect(parseFraming(name).name).toBe(name);
  });

  it('has all options of a framing with a length', () => {
    const anyLayout = fc.record({
      bytes: fc.integer({ min: 1, max: 8 }),
      endian: fc.constantFrom('big' as const, 'little' as const),
      offset: fc.nat(4),
      adjustment: fc.integer({ min: -9, max: 2 }),
      after: fc.nat(3),
      counts: fc.constantFrom('payload' as const, 'rest' as const, 'self' as const, 'frame' as const),
    });
    fc.assert(
      fc.property(anyLayout, (layout) => {
        const framing = length(layout);
        const parsed = parseFraming(framing.name);
        expect(parsed.name).toBe(framing.name);
        expect(show(encode(parsed, 'hello'))).toBe(show(encode(framing, 'hello')));
      }),
    );
  });

  it('has all bytes of a delimiter', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
        const parsed = parseFraming(delimiter(bytes).name);
        expect(show(encode(parsed, ''))).toBe(show(bytes));
      }),
    );
  });

  it.each([
    ['', 'Known: lines, '],
    ['line', 'Did you mean "lines"?'],
    ['Lines', 'Did you mean "lines"?'],
    ['delimeter:\\0', 'Did you mean "delimiter"?'],
    ['length:4 little:', ''],
    ['length 4', ''],
    ['lines\n', ''],
    ['websocket', 'Known: lines, '],
  ])('%j is unknown, with a hint: %s', (text, hint) => {
    const refused = () => parseFraming(text);
    if (hint) expectRefusal(refused, expect.stringContaining(`unknown framing "${text}". ${hint}`));
    else expect(refused).toThrow(YodelError);
  });

  it.each([
    'lines:',
    'lines(x)',
    'raw:8',
    'delimiter',
    'delimiter(x)',
    'between:x',
    'netstring:5',
    'octet-counted:',
    'octet-counted:nul',
    'headers:1024',
    'headers:',
    'length:',
    'length:4,',
    'between:x,y,',
    'resp:',
    'slip:',
    'cobs:1',
    'until:lines,/x/',
    'until(lines)',
    'until(lines,x)',
  ])('%j is refused with the right form', (text) => {
    const kind = framingKinds.find(({ name }) => text.startsWith(name));
    expectRefusal(
      () => parseFraming(text),
      `invalid framing "${text}": it is written ${kind?.form}; see yodel help framing`,
    );
  });

  it.each([
    ['length:2,littel', 'the framing "length" has no option "littel". Did you mean "little"?'],
    ['length:4,offest=2', 'the framing "length" has no option "offest=2". Did you mean "offset"?'],
    ['length:4 little', 'the framing "length" has no option "4 little". Did you mean "little"?'],
    [
      'length:4,middle',
      'the framing "length" has no option "middle". Known: digits, bcd, varint, little, offset, after, counts, inclusive, adjust',
    ],
    ['length:4,offset', 'the framing "length" takes offset=N, not "offset"'],
    ['length:4,offset=1.5', 'the framing "length" takes offset=N, not "offset=1.5"'],
    ['length:2,counts=self2', 'the framing "length" takes counts=rest or counts=frame, not "counts=self2"'],
    ['length:9', 'the framing "length" takes a width of 1 to 8 bytes, not 9'],
    ['between:x,y,z', 'the framing "between" has no option "z". Known: gap, escape'],
    ['between:x,y,escap=z', 'the framing "between" has no option "escap=z". Did you mean "escape"?'],
    ['between:x,y,gap=', 'the framing "between" takes gap=BYTES, not "gap="'],
  ])('%j is refused, and the error names the option', (text, error) => {
    expectRefusal(() => parseFraming(text), error);
  });

  it.each([
    ['./mine.ts', true],
    ['../mine.js', true],
    ['/srv/mine', true],
    ['mine.mts', true],
    ['lines', false],
    ['delimiter:.js', false],
    ['delimiter:/', false],
  ])('%j may be a file: %s', (text, isFile) => {
    expect(isFramingFile(text)).toBe(isFile);
  });

  it('may be a file that was loaded', () => {
    const own = delimiter('own');
    expect(parseWith('./mine.ts', (file) => (file === './mine.ts' ? own : lines()))).toBe(own);
  });

  it.each([
    ['delimiter:', 'a delimiter has 1 to 64 bytes, not 0'],
    ['delimiters:a,', 'a delimiter has 1 to 64 bytes, not 0'],
    [`delimiter:${'x'.repeat(65)}`, 'a delimiter has 1 to 64 bytes, not 65'],
    [
      'until(lines,/(/)',
      expect.stringMatching(/^invalid pattern of the framing "until": Invalid regular expression: /),
    ],
    ['until(raw,/x/)', 'the framing "until" cannot group messages of "raw"'],
    ['length:4,offset=-1', 'the framing "length" takes "offset" from 0 to 1024, not -1'],
    ['length:4,offset=1025', 'the framing "length" takes "offset" from 0 to 1024, not 1025'],
    [
      'length:4,adjust=9007199254740992',
      'the framing "length" takes a whole number as adjustment, not 9007199254740992',
    ],
  ])('%j is refused with the allowed values', (text, refusal) => {
    expectRefusal(() => parseFraming(text), refusal);
  });
});

describe('bytes written as text', () => {
  it('are parsed to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = formatBytes(bytes);
        expect(text).toMatch(/^[!-~]*$/);
        expect(show(parseBytes(text))).toBe(show(bytes));
      }),
    );
  });

  it('may contain any text besides the escapes', () => {
    expect(show(parseBytes('a b\\r\\n\\0\\t\\\\n é\\xfF'))).toBe('a b\\x0d\\x0a\\x00\\x09\\x5cn \\xc3\\xa9\\xff');
  });

  it.each([
    ['\\q', '\\q'],
    ['a\\', '\\'],
    ['\\x4', '\\x'],
    ['\\xg0', '\\x'],
    ['\\é', '\\é'],
    ['\\\n', '\\\n'],
    ['\\u0041', '\\u'],
  ])('%j is refused, naming the escape', (text, named) => {
    expectRefusal(
      () => parseBytes(text),
      `unknown escape "${named}"; use \\0 \\n \\r \\t \\\\ and \\xHH with two hexadecimal digits`,
    );
  });
});

describe('the options of the framing "length"', () => {
  it.each([
    [{ bytes: 9 }, 'a field of 1 to 8 bytes, not 9'],
    [{ format: 'hex' }, '"binary", "digits", "bcd", "varint" as format, not "hex"'],
    [{ after: 1025 }, '"after" from 0 to 1024, not 1025'],
    [{ counts: 'all' }, '"payload", "rest", "self", "frame" as counts, not "all"'],
    [
      { includesHeader: true },
      'the options bytes, format, endian, offset, after, counts, adjustment, not "includesHeader"',
    ],
    [
      { format: 'varint', counts: 'self' },
      '"payload" or "rest" as counts of a varint, because its own size depends on its value',
    ],
    [{ endian: 'middle' }, '"big" or "little" as endian, not "middle"'],
    [{ offset: -1 }, '"offset" from 0 to 1024, not -1'],
    [{ offset: 0.5 }, '"offset" from 0 to 1024, not 0.5'],
    [{ adjustment: 0.5 }, 'a whole number as adjustment, not 0.5'],
    [{ adjustment: Number.POSITIVE_INFINITY }, 'a whole number as adjustment, not Infinity'],
  ])('%j are refused: %s', (options, right) => {
    expectRefusal(() => length(options as object), `the framing "length" takes ${right}`);
  });
});

/** @param text the error's message, or what vitest matches with it */
function expectRefusal(call: () => unknown, text: string): void {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(YodelError);
    expect(error).toMatchObject({ code: 'YODEL_INVALID_OPTION', message: text });
    return;
  }
  expect.fail(`nothing was refused; due was: ${text}`);
}
