import { describe, expect, it } from 'vitest';
import { type DecoderOptions, decodeChunk, encode } from '../../src/framing/framing.ts';
import { parseFraming } from '../../src/framing/notation.ts';

const notations = ['lines', 'delimiter:||', 'length:2', 'length:4'];

describe.each(notations)('in %s, a decoder that has stopped', (notation) => {
  const framing = parseFraming(notation);
  const frames = (...messages: (string | Uint8Array)[]) =>
    Buffer.concat(messages.map((message) => encode(framing, message)));
  const unfinished = frames('more').subarray(0, -2);

  it.each<[string, DecoderOptions['onTooLong'], string | Uint8Array]>([
    ['at a message above the limit', 'close', 'longer than this'],
    ['at a message that is not UTF-8', 'close', Buffer.of(0xff)],
    ['at a message that is not UTF-8, among discarded ones', 'discard', Buffer.of(0xff)],
  ])('%s buffers nothing and returns nothing more', (_reason, onTooLong, last) => {
    for (const behind of [[], [frames('b'), unfinished], [frames('longer than this'), unfinished]]) {
      const decoder = framing.createDecoder({ maxMessageLength: 8, onTooLong, encoding: 'utf8' });
      const batch = decoder.decode(Buffer.concat([frames('a', last), ...behind]));
      expect(Array.from(batch, String)).toEqual(['a']);
      expect(batch.fault).toBeDefined();
      expect(batch.rest).toBeUndefined();
      expect(decoder.pending).toBe(0);
      for (const later of [decoder.decode(frames('c')), decoder.decode(unfinished), decoder.end()]) {
        expect(later.count).toBe(0);
        expect(later.fault).toBeUndefined();
      }
      expect(decoder.pending).toBe(0);
    }
  });

  it('at the end of input returns nothing when it is ended again', () => {
    const decoder = framing.createDecoder({ maxMessageLength: 8, onTooLong: 'close', encoding: 'utf8' });
    decoder.decode(unfinished);
    const first = decoder.end();
    expect(first.count + (first.fault ? 1 : 0)).toBe(1);
    const second = decoder.end();
    expect(second.count).toBe(0);
    expect(second.fault).toBeUndefined();
  });
});

describe.each(notations)('in %s, a decoder that discards a message', (notation) => {
  const framing = parseFraming(notation);

  it('has pending bytes until the message has ended', () => {
    const decoder = framing.createDecoder({ maxMessageLength: 8, onTooLong: 'discard', encoding: 'utf8' });
    const frame = encode(framing, 'a long message that is discarded');
    decoder.decode(frame.subarray(0, 20));
    for (let at = 20; at < frame.length; at++) {
      expect(decoder.pending).toBeGreaterThan(0);
      decoder.decode(frame.subarray(at, at + 1));
    }
    expect(decoder.pending).toBe(0);
  });
  it('finds the next one after it, however long it is', () => {
    const decoder = framing.createDecoder({ maxMessageLength: 10_000, onTooLong: 'discard', encoding: 'utf8' });
    const stream = Buffer.concat([encode(framing, 'x'.repeat(50_000)), encode(framing, 'next')]);
    const seen: string[] = [];
    for (let at = 0; at < stream.length; at += 777) {
      for (const batch of decodeChunk(decoder, stream.subarray(at, at + 777))) {
        seen.push(...Array.from(batch, String), ...(batch.fault ? [batch.fault.code] : []));
      }
    }
    expect(seen).toEqual(['YODEL_MESSAGE_TOO_LONG', 'next']);
  });
});
