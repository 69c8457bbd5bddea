import { describe, expect, it } from 'vitest';
import type { FrameReader } from '../../src/framing/frames.ts';
import { type DecoderOptions, type Framing, inPlace } from '../../src/framing/framing.ts';
import { type FrameScanner, invalidFrame } from '../../src/framing/scanner.ts';
import { ScanningDecoder } from '../../src/framing/scanning.ts';
import { fc } from '../support/fast-check.ts';
import { anyChunking, cut, inOneChunk } from './chunking.ts';
import { decodeAll } from './outcome.ts';

const discard: DecoderOptions = { maxMessageLength: 3, onTooLong: 'discard', encoding: 'binary' };

function reader(payloadEnd: FrameReader['payloadEnd']): FrameReader {
  const framing = { name: 'test', id: 'test' };
  return { framing, headerSize: 0, payloadStart: (_bytes, start) => start, payloadEnd, terminatorSize: () => -1 };
}

function framingOf(create: () => FrameScanner): Framing {
  return {
    name: 'test',
    id: 'test',
    defaultEncoding: 'binary',
    encoder: {
      ...inPlace({ headerSize: () => 0, trailerSize: 0, seal: (_target, _at, _start, end) => end }),
      shapeOf: () => undefined,
    },
    createDecoder: (options) => new ScanningDecoder(create(), options),
  };
}

/** The events in one chunk, which must be those in chunks of any sizes. */
function eventsOf(create: () => FrameScanner, input: string, options = discard): readonly string[] {
  const framing = framingOf(create);
  const bytes = Buffer.from(input);
  const whole = decodeAll(framing, options, cut(bytes, inOneChunk));
  for (let at = 1; at < bytes.length; at++) {
    expect(decodeAll(framing, options, cut(bytes, [at, Number.POSITIVE_INFINITY])), `cut at ${at}`).toEqual(whole);
  }
  fc.assert(
    fc.property(anyChunking, (chunking) => {
      expect(decodeAll(framing, options, cut(bytes, chunking))).toEqual(whole);
    }),
    { numRuns: 30 },
  );
  return whole.events;
}

/** Frames end with `;`, or with `;!!!`, so that three bytes after a `;` decide how long its frame is. */
const late: FrameScanner = {
  reader: reader((bytes, _start, end) => bytes.lastIndexOf(';', end - 1)),
  maxFrameSize: (limit) => limit + 4,
  scan(bytes, start) {
    const at = bytes.indexOf(';', start);
    if (at === -1) return 0;
    const next = bytes.toString('latin1', at + 1, at + 4);
    if (next === '!!!') return at + 4;
    return '!!!'.startsWith(next) ? 0 : at + 1;
  },
  endsWithInput: () => true,
  skip: { endSize: 4, find: (bytes, from) => late.scan(bytes, from, from) },
};

const tooLong = (number: number, limit = 3) =>
  `fault: YODEL_MESSAGE_TOO_LONG: message ${number} is longer than the limit of ${limit} bytes`;

describe('ScanningDecoder', () => {
  it('keeps the bytes after a frame whose scanner decides late', () => {
    expect(eventsOf(() => late, 'ab;!!c;!!!d;x;')).toEqual([
      'message: ab',
      'message: !!c',
      'message: d',
      'end',
      'message: x',
    ]);
  });

  it('keeps them also if that frame is too long', () => {
    expect(eventsOf(() => late, 'abcd;!!c;x;x')).toEqual([
      tooLong(1),
      'message: !!c',
      'message: x',
      'end',
      'message: ',
    ]);
  });

  it('passes over bytes between frames, which are not part of any', () => {
    const spaced: FrameScanner = {
      reader: reader((_bytes, _start, end) => end - 1),
      maxFrameSize: (limit) => limit + 1,
      scan(bytes, start) {
        let at = start;
        while (bytes[at] === 0x20) at++;
        return at > start ? -at : bytes.indexOf(';', start) + 1;
      },
      skip: { endSize: 1, find: (bytes, from) => bytes.indexOf(';', from) + 1 },
    };
    expect(eventsOf(() => spaced, '   a;  b;c;     abcd;  e;    ')).toEqual([
      'message: a',
      'message: b',
      'message: c',
      tooLong(4),
      'message: e',
      'end',
    ]);
    const decoder = framingOf(() => spaced).createDecoder(discard);
    const batch = decoder.decode(Buffer.from(' a;b;  c;'));
    expect([`${batch.before}`, ...batch.slices.map(String)]).toEqual([' ', 'a;b;']);
    const next = decoder.decode(batch.rest as Buffer);
    expect([`${next.before}`, ...next.slices.map(String)]).toEqual(['  ', 'c;']);
    expect(`${decoder.decode(Buffer.from('  ')).before}`).toBe('  ');
  });

  it('skips the rest of a message whose length is known, and says so if the input ends in it', () => {
    const counted: FrameScanner = {
      reader: { ...reader((_bytes, _start, end) => end), headerSize: 1, payloadStart: (_bytes, start) => start + 1 },
      maxFrameSize: (limit) => limit + 1,
      scan: (bytes, start) => start + 1 + Number(String.fromCharCode(bytes[start] as number)),
    };
    expect(eventsOf(() => counted, '1a9xxxxxxxxx2bc')).toEqual(['message: a', tooLong(2), 'message: bc', 'end']);
    expect(eventsOf(() => counted, '9xxx')).toEqual([
      tooLong(1),
      'end',
      'fault: YODEL_UNFINISHED_FRAME: input ended inside a discarded message, in message 1',
    ]);
  });

  it('finds the end of a discarded message that is split, and stops where there is none to find', () => {
    const marked: FrameScanner = {
      reader: reader((_bytes, _start, end) => end - 3),
      maxFrameSize: (limit) => limit + 3,
      scan: (bytes, start, seen) => {
        const found = bytes.indexOf('aab', Math.max(start, seen - 2));
        return found === -1 ? 0 : found + 3;
      },
    };
    const find = (bytes: Buffer, from: number) => marked.scan(bytes, from, from);
    expect(eventsOf(() => ({ ...marked, skip: { endSize: 3, find } }), 'xaabaaaaaaaaabyaab')).toEqual([
      'message: x',
      tooLong(2),
      'message: y',
      'end',
    ]);
    expect(eventsOf(() => marked, 'xaabaaaaaaaaabyaab')).toEqual(['message: x', tooLong(2), 'end']);
  });

  it('reports bytes that cannot end while a message is skipped', () => {
    const find = (bytes: Buffer, from: number) => {
      const end = bytes.indexOf(';', from) + 1;
      const wrong = bytes.subarray(from, end || bytes.length).indexOf('?');
      if (wrong !== -1) throw invalidFrame(9, 'it cannot end');
      return end;
    };
    const broken: FrameScanner = { ...late, scan: find, skip: { endSize: 1, find } };
    expect(eventsOf(() => broken, 'a;xxxxxxxxx?;')).toEqual([
      'message: a',
      tooLong(2),
      'fault: YODEL_INVALID_FRAME: message 2 is not a valid frame of the framing "test": at byte 10: it cannot end',
      'end',
    ]);
  });

  it('continues by another rule after any frame, in a batch of its own', () => {
    /** `#` changes between frames that end with `;` and frames that are one byte. */
    const create = (): FrameScanner => {
      const whole = reader((_bytes, _start, end) => end);
      const ended = reader((_bytes, _start, end) => end - 1);
      const scanner = {
        reader: ended,
        maxFrameSize: (limit: number) => limit + 1,
        scan: (bytes: Buffer, start: number) => (scanner.reader === whole ? start + 1 : bytes.indexOf(';', start) + 1),
        found(bytes: Buffer, start: number) {
          if (bytes[start] === 0x23) scanner.reader = scanner.reader === whole ? ended : whole;
        },
      };
      return scanner;
    };
    expect(eventsOf(create, 'a;#;bc#d;#;#e;')).toEqual([
      ...['a', '#', 'b', 'c', '#', 'd', '#', '#', 'e'].map((text) => `message: ${text}`),
      'end',
    ]);
  });

  it('checks a last frame that ends with the input', () => {
    const checked: FrameScanner = {
      ...late,
      check(bytes, start, end) {
        const at = bytes.subarray(start, end).indexOf('?');
        if (at !== -1) throw invalidFrame(at, 'a question');
      },
    };
    expect(eventsOf(() => checked, 'a;b?')).toEqual([
      'message: a',
      'end',
      'fault: YODEL_INVALID_FRAME: message 2 is not a valid frame of the framing "test": at byte 2: a question',
    ]);
  });

  it('never keeps more than the longest frame and a byte', () => {
    for (const size of [1, 5, 1000]) {
      const decoder = framingOf(() => late).createDecoder(discard);
      for (let at = 0; at < 100; at++) {
        decoder.decode(Buffer.alloc(size, 'x'));
        expect(decoder.pending).toBeLessThanOrEqual(8);
        expect(decoder.pending).toBeGreaterThan(0);
      }
    }
  });
});
