import { describe, expect, it } from 'vitest';
import { type DecoderOptions, decodeChunk } from '../../src/framing/framing.ts';
import { parseFraming } from '../../src/framing/notation.ts';

const limit = 4096;
const tooLong = `message 1 is longer than the limit of ${limit} bytes`;

/** What begins and never ends; the error. */
const inputs: [notation: string, beginning: string, endless: string, problem: string][] = [
  ['delimiters:\\n,\\0', '', 'x', tooLong],
  ['delimiters:\\r,\\r\\n', '', '\n', tooLong],
  ['delimiters:abcd,e', '', 'abc', tooLong],
  ['between:\\x02,\\x03', '\x02', 'x', tooLong],
  ['between:\\x0b,\\x1c\\r', '\x0b', '\x1c', tooLong],
  ['between:\\x10\\x02,\\x10\\x03,escape=\\x10', '\x10\x02', '\x10\x10', tooLong],
  ['between:\\x02,\\x03,escape=\\x1b', '\x02', '\x1b\x03', tooLong],
  ['between:\\x02,\\x03', '', 'x', 'at byte 1: expected the start of a message'],
  ['netstring', '', '1', 'at byte 16: the length has more than 15 digits'],
  ['netstring', '99999999:', 'x', tooLong],
  ['octet-counted', '', '1', 'at byte 16: the length has more than 15 digits'],
  ['octet-counted:mixed', '', 'x', tooLong],
  ['octet-counted:mixed,nul', '99999999 ', 'x', tooLong],
  ['headers', '', 'x', 'at byte 8193: the header lines have not ended after 8192 bytes'],
  ['headers', 'A: ', ' ', 'at byte 8193: the header lines have not ended after 8192 bytes'],
  ['headers', '', 'A: b\r\n', 'at byte 8193: the header lines have not ended after 8192 bytes'],
  ['headers', 'Content-Length: ', '0', 'at byte 32: the Content-Length has more than 15 digits'],
  ['headers', 'Content-Length: 99999999\r\n\r\n', 'x', tooLong],
  ['length:varint', '', '\xff', 'at byte 5: the length has not ended after 5 bytes'],
  ['length:4,digits', '', 'x', 'at byte 1: expected a digit of the length'],
  ['length:8,bcd', '\x99', '\x99', tooLong],
];

describe.each(inputs)('%s, with %j and then %j without end', (notation, beginning, endless, problem) => {
  const framing = parseFraming(notation);
  /** Overheads: header lines or an escape byte for each byte; a chunk. */
  const mostPending = Math.max(2 * limit, 8192 + limit) + 256;

  function run(onTooLong: DecoderOptions['onTooLong'], chunkSize: number, total: number): string[] {
    const decoder = framing.createDecoder({ maxMessageLength: limit, onTooLong, encoding: 'binary' });
    const first = Buffer.from(beginning, 'latin1');
    const input = Buffer.concat([first, Buffer.alloc(total, Buffer.from(endless, 'latin1'))]);
    const faults: string[] = [];
    for (let at = 0; at < input.length; at += chunkSize) {
      for (const batch of decodeChunk(decoder, input.subarray(at, at + chunkSize))) {
        if (batch.count > 0) expect.fail('a message was returned');
        if (batch.fault) faults.push(batch.fault.message);
      }
      if (decoder.pending > mostPending) expect.fail(`${decoder.pending} bytes are buffered`);
    }
    return faults;
  }

  it.each(['close', 'discard'] as const)('reports one error, with onTooLong "%s"', (onTooLong) => {
    const expected = [expect.stringContaining(problem)];
    expect(run(onTooLong, 1, 20_000)).toEqual(expected);
    expect(run(onTooLong, 300_000, 300_000)).toEqual(expected);
    expect(run(onTooLong, 65_536, 1_000_000)).toEqual(expected);
  });
});
