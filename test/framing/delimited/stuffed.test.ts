import { describe, expect, it } from 'vitest';
import { cobs } from '../../../src/framing/delimited/cobs.ts';
import { slip } from '../../../src/framing/delimited/slip.ts';
import { encode } from '../../../src/framing/framing.ts';
import { fc } from '../../support/fast-check.ts';
import { anyChunking, cut } from '../chunking.ts';
import { decodeAll, messageEvents, show } from '../outcome.ts';

const run = (first: number, count: number) => Buffer.from(Array.from({ length: count }, (_, at) => (first + at) % 256));

describe('cobs', () => {
  // The examples of the paper and its common form, at the edges of a block of 254 bytes.
  it.each([
    ['1 to 254', run(1, 254), Buffer.concat([Buffer.of(0xff), run(1, 254), Buffer.of(0)])],
    ['0 to 254', run(0, 255), Buffer.concat([Buffer.of(1, 0xff), run(1, 254), Buffer.of(0)])],
    ['1 to 255', run(1, 255), Buffer.concat([Buffer.of(0xff), run(1, 254), Buffer.of(2, 255, 0)])],
    ['2 to 255, and 0', run(2, 255), Buffer.concat([Buffer.of(0xff), run(2, 254), Buffer.of(1, 1, 0)])],
    ['3 to 255, 0, and 1', run(3, 255), Buffer.concat([Buffer.of(0xfe), run(3, 253), Buffer.of(2, 1, 0)])],
  ])('encodes the bytes from %s', (_name, payload, frame) => {
    expect(show(encode(cobs(), payload))).toBe(show(frame));
  });

  it('decodes a last block that is empty after a full one, which some encoders send', () => {
    const frame = Buffer.concat([Buffer.of(0xff), run(1, 254), Buffer.of(1, 0)]);
    const options = { maxMessageLength: 254, onTooLong: 'close', encoding: 'binary' } as const;
    for (const size of [1, 100, 257]) {
      expect(decodeAll(cobs(), options, cut(frame, [size])).events).toEqual([...messageEvents([run(1, 254)]), 'end']);
    }
  });
});

describe.each([slip(), cobs()])('$name', (framing) => {
  it('carries any bytes up to exactly the limit', () => {
    const byte = fc.oneof(fc.constantFrom(0, 0xc0, 0xdb, 0xdc, 0xdd, 0xff, 1), fc.nat(255));
    const payload = fc.array(byte, { minLength: 2, maxLength: 800 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(payload, anyChunking, (bytes, chunking) => {
        const chunks = cut(encode(framing, bytes), chunking);
        const eventsOf = (maxMessageLength: number) =>
          decodeAll(framing, { maxMessageLength, onTooLong: 'discard', encoding: 'binary' }, chunks).events;
        expect(eventsOf(bytes.length)).toEqual([...messageEvents([bytes]), 'end']);
        const tooLong = `fault: YODEL_MESSAGE_TOO_LONG: message 1 is longer than the limit of ${bytes.length - 1} bytes`;
        expect(eventsOf(bytes.length - 1)).toEqual([tooLong, 'end']);
      }),
      { numRuns: 100 },
    );
  });
});

describe('slip', () => {
  it('has no empty messages', () => {
    expect(() => encode(slip(), '')).toThrow('the framing "slip" has no empty messages');
  });
});
