import fc from 'fast-check';
import { expect, test } from 'vitest';
import { harmlessBytes, harmlessText } from '../../src/cli/harmless.ts';

test.each([
  ['plain text, wörld 你好 🎉 C:\\path', 'plain text, wörld 你好 🎉 C:\\path'],
  ['a\nb\r\tc\0', 'a\\nb\\r\\tc\\0'],
  ['\x1b[31mred\x07', '\\x1b[31mred\\x07'],
  ['\x7f\x9b31m', '\\x7f\\x9b31m'],
  ['abc\u202edef\u2066', 'abc\\u202edef\\u2066'],
  ['a\u2028b\u200bc', 'a\\u2028b\\u200bc'],
  ['\u{e0041}', '\\u{e0041}'],
])('%j is shown as %s', (text, shown) => {
  expect(harmlessText(text)).toBe(shown);
});

test('bytes that are not UTF-8 are shown one by one', () => {
  expect(harmlessBytes(Uint8Array.of(0x61, 0xff, 0x0a, 0xc3))).toBe('a\\xff\\x0a\\xc3');
});

test('nothing that a peer sends can steer a terminal or reorder a line', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: to look for them is the purpose
  const steering = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
  const nasty = fc.array(
    fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x1b, 0x9b, 0xc2, 0xe2, 0x80, 0xae)),
  );
  fc.assert(fc.property(nasty, (bytes) => !steering.test(harmlessBytes(Uint8Array.from(bytes)))));
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !steering.test(harmlessText(text))));
});
