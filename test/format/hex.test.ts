import { expect, it } from 'vitest';
import { isTextHeader, spacedHex } from '../../src/format/hex.ts';

it('writes two digits for each byte', () => {
  expect(spacedHex(Buffer.from([0, 4, 255]))).toBe('00 04 ff');
  expect(spacedHex(new Uint8Array())).toBe('');
});

it.each([
  ['Content-Type: text/plain\r\n', true],
  ['SEND\ndestination:/queue/a\n', true],
  ['Q', false],
  ['12345678', false],
  ['123456789', true],
  ['\x00\x01\x02\x03\x04\x05\x06\x07\x08', false],
])('%j is a header of text: %j', (text, expected) => {
  expect(isTextHeader(Buffer.from(text))).toBe(expected);
});
