import { expect, test } from 'vitest';
import { FirstMessages } from '../../../src/cli/connect/first-messages.ts';
import { length } from '../../../src/framing/counted/length.ts';
import { lines } from '../../../src/framing/delimited/lines.ts';

test.each([1, 2, 3, 100])('ends after the last message, in chunks of %i bytes', (size) => {
  const first = new FirstMessages(lines(), 2);
  const input = Buffer.from('one\ntwo\r\nthree\nfour');
  let taken = '';
  for (let at = 0; at < input.length && !first.areComplete; at += size)
    taken += Buffer.from(first.take(input.subarray(at, at + size))).toString();
  expect({ taken, areComplete: first.areComplete }).toEqual({ taken: 'one\ntwo\r\n', areComplete: true });
});

test('passes bytes on before their message is complete', () => {
  const first = new FirstMessages(length(), 1);
  expect([...first.take(Uint8Array.of(0, 0, 0))]).toEqual([0, 0, 0]);
  expect([...first.take(Uint8Array.of(2, 65, 66, 0))]).toEqual([2, 65, 66]);
});

test('refuses a message whose end cannot be found', () => {
  const first = new FirstMessages(length(), 1);
  expect(() => first.take(Uint8Array.of(255, 255, 255, 255, 1))).toThrow('longer than the limit');
});
