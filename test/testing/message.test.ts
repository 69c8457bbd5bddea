/** Messages and batches for handler functions that a test calls itself. */
import { describe, expect, it } from 'vitest';
import { batch, message } from '../../src/testing/message.ts';

describe('message()', () => {
  it('is a message of a program', () => {
    expect(message('hello').text).toBe('hello');
    const received = message(Uint8Array.of(1), { header: Uint8Array.of(2), kind: 'binary' });
    expect([[...received.bytes], [...received.header], received.kind]).toEqual([[1], [2], 'binary']);
  });

  it('is one that arrived in a framing', () => {
    const line = message('hello', { framing: 'lines' });
    expect(Buffer.from(line.frame).toString()).toBe('hello\n');
    expect([...line.terminator]).toEqual([10]);
    const typed = message('hi', { framing: 'length:2,offset=1', header: Uint8Array.of(9) });
    expect([...typed.frame]).toEqual([9, 0, 2, 0x68, 0x69]);
    expect([...typed.header]).toEqual([9]);
  });

  it('cannot be what its framing cannot express', () => {
    expect(() => message('two\nlines', { framing: 'lines' })).toThrow('line feed at offset 3');
    expect(() => message('x', { framing: 'lins' })).toThrow('lins');
  });
});

it('batch() has messages that arrived in one chunk', () => {
  const received = batch(['one', 'two', message('three')]);
  expect(Buffer.concat(received.slices).toString()).toBe('one\ntwo\nthree\n');
  expect([...received].map(({ text }) => text)).toEqual(['one', 'two', 'three']);
  expect([...batch([], { framing: 'netstring' })]).toEqual([]);
});
