import { expect, test } from 'vitest';
import { recycle, Tail } from '../../src/framing/tail.ts';

test('the memory of an unfinished message does not depend on what was received before', () => {
  const memoryOf = (size: number) => {
    const tail = new Tail(1_000_000);
    for (let at = 0; at < size; at += 500) tail.append(Buffer.alloc(500));
    return tail.memory;
  };
  const before = memoryOf(15_000);
  for (let count = 0; count < 4; count++) recycle(Buffer.allocUnsafeSlow(65_536));
  expect(memoryOf(15_000)).toBe(before);
});

const mebibyte = 1_048_576;
/** More than is kept of free buffers. */
const long = Buffer.alloc(9 * mebibyte, 'x');

test('a long buffer is freed as soon as a longer one replaces it, and when the message is discarded', () => {
  const tail = new Tail(100 * mebibyte);
  tail.append(long);
  const first = tail.bytes;
  tail.append(long);
  // A buffer whose memory is freed has none left.
  expect(first.length).toBe(0);
  expect(tail.bytes.equals(Buffer.concat([long, long]))).toBe(true);
  const second = tail.bytes;
  tail.drop();
  expect(second.length).toBe(0);
  expect(tail.length).toBe(0);
});

test('what was taken is not freed until it is given back', () => {
  const tail = new Tail(100 * mebibyte);
  tail.append(long);
  const taken = tail.take();
  tail.append(long);
  tail.drop();
  expect(taken.equals(long)).toBe(true);
  recycle(taken.subarray(0, 10));
  expect(taken.length).toBe(0);
});

test('of a long message, the memory is counted with its free space, and is at most twice its length', () => {
  for (let size = 1.1 * mebibyte; size < 40 * mebibyte; size *= 1.3) {
    const tail = new Tail(64 * mebibyte);
    for (let left = Math.floor(size); left > 0; left -= 65_536) tail.append(long.subarray(0, Math.min(left, 65_536)));
    expect(tail.memory).toBe(tail.bytes.buffer.byteLength);
    expect(tail.memory).toBeLessThanOrEqual(2 * tail.length);
  }
});
