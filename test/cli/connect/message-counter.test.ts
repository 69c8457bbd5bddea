import { expect, test } from 'vitest';
import { MessageCounter } from '../../../src/cli/connect/message-counter.ts';
import { length } from '../../../src/framing/counted/length.ts';
import { lines } from '../../../src/framing/delimited/lines.ts';

test('counts complete messages, and an unfinished one at the end', () => {
  const counter = new MessageCounter(lines());
  counter.add(Buffer.from('one\ntwo\nthr'));
  expect({ count: counter.count, started: counter.started }).toEqual({ count: 2, started: 3 });
  counter.end();
  expect(counter.count).toBe(3);
});

test.each([1, 2, 3, 100])('returns the bytes up to the limit, in chunks of %s bytes', (size) => {
  const counter = new MessageCounter(lines(), 2);
  const input = Buffer.from('one\ntwo\nthree\nfour\n');
  let accepted = '';
  for (let at = 0; at < input.length && counter.count < 2; at += size) {
    accepted += Buffer.from(counter.add(input.subarray(at, at + size))).toString();
  }
  expect(accepted).toBe('one\ntwo\n');
});

test('with a limit, a message that is too long to find its end is an error; without one it is counted', () => {
  const tooLong = Buffer.from([0x7f, 0xff, 0xff, 0xff]);
  expect(() => new MessageCounter(length({ bytes: 4 }), 1).add(tooLong)).toThrow(/longer than the limit/);
  const counter = new MessageCounter(length({ bytes: 4 }));
  counter.add(tooLong);
  expect(counter.count).toBe(1);
});
