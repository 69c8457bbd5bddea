import { describe, expect, it } from 'vitest';
import { type DecoderOptions, encode } from '../../src/framing/framing.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { show } from './outcome.ts';

const options: DecoderOptions = { maxMessageLength: 65_536, onTooLong: 'discard', encoding: 'utf8' };

describe.each(['lines', 'delimiter:\\0', 'delimiter:||', 'length:4', 'length:1,offset=2'])('in %s', (notation) => {
  const framing = parseFraming(notation);
  const frames = Buffer.concat(['one', 'two', 'three'].map((text) => encode(framing, text)));
  const isIn = (chunk: Buffer) => (slice: Uint8Array) => slice.buffer === chunk.buffer;

  it('whole frames are not copied', () => {
    const { slices } = framing.createDecoder(options).decode(frames);
    expect(slices.map(show)).toEqual([show(frames)]);
    expect(slices.map(isIn(frames))).toEqual([true]);
  });

  it('of a chunk with an unfinished end, the whole frames are not copied', () => {
    const decoder = framing.createDecoder(options);
    const { slices } = decoder.decode(frames.subarray(0, -1));
    expect(slices.map(isIn(frames))).toEqual([true]);
    expect(decoder.pending).toBeGreaterThan(0);
  });

  it('only the message that began in an earlier chunk is copied', () => {
    const decoder = framing.createDecoder(options);
    decoder.decode(frames.subarray(0, 1));
    const { slices } = decoder.decode(frames.subarray(1));
    expect(slices.map(isIn(frames))).toEqual([false, true]);
    expect(slices.map(show).join('')).toBe(show(frames));
  });

  it('a plain Uint8Array is not copied either', () => {
    const chunk = Uint8Array.from(frames);
    const { slices } = framing.createDecoder(options).decode(chunk);
    expect(slices[0]?.buffer).toBe(chunk.buffer);
  });

  it('what follows a discarded message is not copied', () => {
    const decoder = framing.createDecoder({ ...options, maxMessageLength: 3 });
    const chunk = Buffer.concat([encode(framing, 'too long'), encode(framing, 'ok')]);
    const { rest } = decoder.decode(chunk);
    expect(rest?.buffer).toBe(chunk.buffer);
    expect(Array.from(decoder.decode(rest as Buffer), String)).toEqual(['ok']);
    expect(decoder.decode(encode(framing, 'too long')).rest).toBeUndefined();
  });
});

it('a message is a view into its chunk until it is copied', () => {
  const chunk = Buffer.from('one\n');
  const [message] = parseFraming('lines').createDecoder(options).decode(chunk);
  chunk.write('two');
  expect(message?.text).toBe('two');
});
