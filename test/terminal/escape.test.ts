import { expect, test } from 'vitest';
import {
  cutText,
  EscapingStream,
  escapeBytes,
  escapeJson,
  escapeStack,
  escapeText,
  thrownText,
} from '../../src/terminal/escape.ts';
import { fc } from '../support/fast-check.ts';

test.each([
  ['plain text, wörld 你好 🎉 C:\\path', 'plain text, wörld 你好 🎉 C:\\path'],
  ['a\nb\r\tc\0', 'a\\nb\\r\\tc\\0'],
  ['\x1b[31mred\x07', '\\x1b[31mred\\x07'],
  ['\x7f\x9b31m', '\\x7f\\x9b31m'],
  ['abc\u202edef\u2066', 'abc\\u202edef\\u2066'],
  ['a\u2028b\u200bc', 'a\\u2028b\\u200bc'],
  ['\u{e0041}', '\\u{e0041}'],
  ['soft\u00adhyphen', 'soft\\xadhyphen'],
  ['a\u00a0b\u3000c\u2003d', 'a\\xa0b\\u3000c\\u2003d'],
  ['\u115f\u1160\u3164\uffa0', '\\u115f\\u1160\\u3164\\uffa0'],
  ['\u180e\u2800\u034f', '\\u180e\\u2800\\u034f'],
  ['a\u{16fe4}b\u{1bc9d}\u{1107f}\u{1d159}', 'a\\u{16fe4}b\\u{1bc9d}\\u{1107f}\\u{1d159}'],
  ['❤\ufe0f\u{e0100}', '❤\\ufe0f\\u{e0100}'],
  ['\ue000\ufffe\u{10ffff}\ud800', '\\ue000\\ufffe\\u{10ffff}\\ud800'],
])('%j is shown as %s', (text, shown) => {
  expect(escapeText(text)).toBe(shown);
});

/** The general categories, and the properties, of characters that cannot be seen. */
const unseen = /^(?:\p{C}|\p{Z}|\p{Default_Ignorable_Code_Point}|\p{Variation_Selector}|\p{Bidi_Control})$/u;

/** Blank characters that Unicode gives none of these. */
const blank = new Set([0x2800, 0x16fe4, 0x1bc9d, 0x1107f, 0x1d159]);

test('every character that cannot be seen is escaped, in text and in JSON, and no other is', () => {
  for (let point = 0; point <= 0x10ffff; point++) {
    const character = String.fromCodePoint(point);
    // All of them in planes 0, 1 and 14; the others contain letters only.
    if (point === 0x20000) point = 0xe0000 - 1;
    const isEscaped = escapeText(character) !== character;
    const mustBe = (unseen.test(character) && character !== ' ') || blank.has(point);
    if (isEscaped !== mustBe) expect.fail(`U+${point.toString(16)}: ${isEscaped}`);
    const json = escapeJson(JSON.stringify(character));
    if (JSON.parse(json) !== character || (mustBe && !/^"\\.*"$/.test(json)))
      expect.fail(`${json} of U+${point.toString(16)}`);
  }
});

test('a long text is cut between characters, and says how much is missing', () => {
  expect(cutText('abc', 3)).toBe('abc');
  expect(cutText('abcdef', 4)).toBe('abcd … 2 characters more');
  expect(cutText('abc🎉def', 4)).toBe('abc … 5 characters more');
});

test('escapes bytes that are not UTF-8 one by one', () => {
  expect(escapeBytes(Uint8Array.of(0x61, 0xff, 0x0a, 0xc3))).toBe('a\\xff\\x0a\\xc3');
});

test('nothing a peer sends can control a terminal or reorder a line', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this looks for control characters
  const controlling = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
  const hostile = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x1b, 0x9b, 0xc2, 0xe2, 0x80, 0xae)),
  );
  fc.assert(fc.property(hostile, (bytes) => !controlling.test(escapeBytes(Uint8Array.from(bytes)))));
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !controlling.test(escapeText(text))));
});

test('escapes a stream independently of its chunks, and keeps line ends and tabs', () => {
  const bytes = Buffer.from('\ufeffwörld 你好\r\n\tred\x1b[31m \u202e\r\r\nlast\r');
  for (let cut = 0; cut <= bytes.length; cut++) {
    const stream = new EscapingStream();
    const shown = stream.add(bytes.subarray(0, cut)) + stream.add(bytes.subarray(cut)) + stream.end();
    expect(shown).toBe('\\ufeffwörld 你好\r\n\tred\\x1b[31m \\u202e\\r\r\nlast\\r');
  }
});

test('shows any thrown value, with only calls below the message', () => {
  const unshowable = Object.assign(Object.create(null), {
    toString() {
      throw new Error('never');
    },
  });
  for (const thrown of [unshowable, Object.create(null)]) {
    expect(thrownText(thrown)).toBe('a value that cannot be converted to text was thrown');
  }
  expect(escapeStack(Symbol('s'))).toBe('Symbol(s)');
  const changed = Object.assign(new Error('first\nyodel: forged'), { message: 'second' });
  const [head, ...calls] = escapeStack(changed).split('\n');
  expect(head).toBe('Error: second');
  expect(calls.length).toBeGreaterThan(0);
  for (const call of calls) expect(call).toMatch(/^ +at /);
  expect(escapeStack(Object.assign(new Error('odd'), { stack: 7 }))).toBe('Error: odd');
});
