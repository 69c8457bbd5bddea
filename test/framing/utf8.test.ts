import { describe, expect, it } from 'vitest';
import { firstInvalidByte, invalidUtf8, isUtf8 } from '../../src/framing/utf8.ts';
import { fc } from '../support/fast-check.ts';

/** Bytes that are mostly UTF-8: characters of every length, single bytes, and sequences that are almost valid. */
const nearlyUtf8 = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }).map((text) => Buffer.from(text)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 3 }) },
      {
        weight: 1,
        // The first and last of each length, one beyond, overlong forms, surrogates, and truncated ones.
        arbitrary: fc
          .constantFrom(
            ...['c080', 'c1bf', 'c280', 'dfbf', 'e09fbf', 'e0a080', 'ed9fbf', 'eda080', 'edbfbf', 'ee8080', 'efbfbf'],
            ...['f08fbfbf', 'f0908080', 'f48fbfbf', 'f4908080', 'f5808080', 'ff', 'fe', '80', 'bf', 'efbbbf'],
            ...['c2', 'e0', 'e0a0', 'e080', 'f0', 'f090', 'f09080', 'f080', 'f490'],
          )
          .map((hex) => Buffer.from(hex, 'hex')),
      },
    ),
    { maxLength: 6 },
  )
  .map((parts) => Buffer.concat(parts));

/** The length of the longest prefix that is text; the whole length if the rest could still become text; -1 if all is text. */
function firstInvalidByTextDecoder(bytes: Uint8Array): number {
  let at = bytes.length;
  while (!decodes(bytes.subarray(0, at), false)) at--;
  if (at === bytes.length) return -1;
  return decodes(bytes, true) ? bytes.length : at;
}

function decodes(bytes: Uint8Array, moreToCome: boolean): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: moreToCome });
    return true;
  } catch {
    return false;
  }
}

describe('firstInvalidByte', () => {
  it('finds the byte at which TextDecoder fails', () => {
    fc.assert(
      fc.property(nearlyUtf8, (bytes) => {
        expect(firstInvalidByte(bytes)).toBe(firstInvalidByTextDecoder(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('finds one exactly in what isUtf8 refuses', () => {
    fc.assert(
      fc.property(nearlyUtf8, (bytes) => {
        expect(firstInvalidByte(bytes) === -1).toBe(isUtf8(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('knows every sequence of two bytes', () => {
    for (let pair = 0; pair < 0x1_0000; pair++) {
      const bytes = Buffer.of(pair >> 8, pair & 0xff);
      const found = firstInvalidByte(bytes);
      if ((found === -1) !== isUtf8(bytes)) expect.fail(`${bytes.toString('hex')} gives ${found}`);
    }
  });
});

describe('the fault of a message that is not UTF-8', () => {
  it.each([
    ['ff', 'byte 0xff at offset 0'],
    ['6869c328', 'byte 0xc3 at offset 2'],
    ['68690a80', 'byte 0x80 at offset 3'],
    ['eda080', 'byte 0xed at offset 0'],
    ['c3a9e7', 'it ends inside a character at offset 3'],
    ['f09f98', 'it ends inside a character at offset 3'],
  ])('%s names the message, the byte and the offset: %s', (hex, what) => {
    const fault = invalidUtf8(7, Buffer.from(hex, 'hex'));
    expect(fault.code).toBe('YODEL_INVALID_UTF8');
    expect(fault.message).toBe(`message 7 is not valid UTF-8: ${what}`);
  });
});
