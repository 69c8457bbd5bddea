/** Frames that arrive in many small chunks must not cost more than their bytes: each of them is read once. */
import { describe, expect, it } from 'vitest';
import type { Decoder, Framing } from '../../src/framing/framing.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { defineFraming } from '../../src/framing/own/define.ts';

const options = { maxMessageLength: 1_048_576, onTooLong: 'close', encoding: 'binary' } as const;

/** Decodes byte by byte. Returns the messages. */
function feed(decoder: Decoder, input: Buffer): number {
  let count = 0;
  for (let at = 0; at < input.length; at++) {
    const batch = decoder.decode(input.subarray(at, at + 1));
    if (batch.fault) throw batch.fault;
    count += batch.count;
  }
  return count;
}

/** The processor time, in microseconds, for one frame byte by byte: the best of three. */
function cost(framing: Framing, input: Buffer): number {
  const times = [1, 2, 3].map(() => {
    const decoder = framing.createDecoder(options);
    const before = process.cpuUsage();
    expect(feed(decoder, input)).toBe(1);
    return process.cpuUsage(before).user;
  });
  return Math.min(...times);
}

const x = (size: number) => 'x'.repeat(size);
const frames: [notation: string, what: string, frame: (size: number) => string][] = [
  ['headers:max=1048576', 'many header lines', (size) => `${'A: b\r\n'.repeat(size / 6)}Content-Length: 1\r\n\r\n1`],
  ['headers:max=1048576', 'a long header', (size) => `A: ${x(size)}\r\nContent-Length: 1\r\n\r\n1`],
  ['headers', 'a long message', (size) => `A: b\r\nContent-Length: ${size}\r\n\r\n${x(size)}`],
  ['until(lines,/^END$/)', 'many lines', (size) => `${'x\n'.repeat(size / 2)}END\n`],
  [
    'until(headers,/^END$/)',
    'many blocks',
    (size) => `${'Content-Length: 1\r\n\r\nx'.repeat(size / 22)}Content-Length: 3\r\n\r\nEND`,
  ],
  ['resp', 'many elements', (size) => `*${Math.floor(size / 4)}\r\n${':1\r\n'.repeat(size / 4)}`],
  ['delimiters:\\n,\\r\\n,abcabd', 'a long line', (size) => `${'abc'.repeat(size / 3)}\n`],
  ['between:<,>,escape=\\\\', 'escapes', (size) => `<${'\\>'.repeat(size / 2)}>`],
];

/** How many times as much a frame costs that is eight times as long. */
function growth(framing: Framing, frame: (size: number) => string): number {
  const [short, long] = [16_384, 131_072].map((size) => cost(framing, Buffer.from(frame(size))));
  return (long as number) / (short as number);
}

describe.each(frames)('%s, %s', (notation, _what, frame) => {
  it('costs eight times as much when it is eight times as long, not sixty-four times', () => {
    const framing = parseFraming(notation);
    // Compilation and garbage collection disturb single measurements; what is quadratic is so in all of them.
    let lowest = growth(framing, frame);
    for (let attempt = 1; attempt < 8 && lowest >= 32; attempt++) lowest = Math.min(lowest, growth(framing, frame));
    expect(lowest).toBeLessThan(32);
  });
});

it('says to the decode of a program what it has seen', () => {
  const calls: [start: number, seen: number, length: number][] = [];
  const own = defineFraming({
    name: 'own',
    trailerSize: 1,
    decode(bytes, start, _state, seen) {
      calls.push([start, seen, bytes.length]);
      return bytes.indexOf(10, seen) + 1;
    },
    encode: (payload) => payload,
  });
  const decoder = own.createDecoder(options);
  for (const chunk of ['ab', 'c', 'd\nef\ng', 'h\n']) decoder.decode(Buffer.from(chunk));
  expect(calls).toEqual([
    [0, 0, 2],
    [0, 2, 3],
    [0, 3, 9],
    [2, 2, 6],
    [5, 5, 6],
    [0, 1, 3],
  ]);
});
