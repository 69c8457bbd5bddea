import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EscapingStream, escapeBytes, escapeStack, escapeText, thrownText } from '../../src/terminal/escape.ts';

test.each([
  ['plain text, wörld 你好 🎉 C:\\path', 'plain text, wörld 你好 🎉 C:\\path'],
  ['a\nb\r\tc\0', 'a\\nb\\r\\tc\\0'],
  ['\x1b[31mred\x07', '\\x1b[31mred\\x07'],
  ['\x7f\x9b31m', '\\x7f\\x9b31m'],
  ['abc\u202edef\u2066', 'abc\\u202edef\\u2066'],
  ['a\u2028b\u200bc', 'a\\u2028b\\u200bc'],
  ['\u{e0041}', '\\u{e0041}'],
])('%j is shown as %s', (text, shown) => {
  expect(escapeText(text)).toBe(shown);
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
