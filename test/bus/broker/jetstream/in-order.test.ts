import { expect, test } from 'vitest';
import { InOrder } from '../../../../src/bus/broker/jetstream/in-order.ts';
import { FakeClock } from '../../../../src/testing/fake-clock.ts';

function ordering() {
  const clock = new FakeClock();
  const delivered: number[] = [];
  const order = new InOrder((_packet, at) => delivered.push(at), clock);
  const receive = (at: number, previous: number) => order.received(Buffer.alloc(0), at, previous);
  return { clock, delivered, order, receive };
}

test('delivers in order what arrives in any', () => {
  const { clock, delivered, receive } = ordering();
  for (const [at, previous] of [
    [10, 7],
    [15, 13],
    [16, 15],
    [13, 12],
    [12, 10],
    [20, 16],
  ] as const)
    receive(at, previous);
  expect(delivered).toEqual([10, 12, 13, 15, 16, 20]);
  expect(clock.waiting).toBe(0);
});

test('waits a moment for what is missing, not longer', async () => {
  const { clock, delivered, receive } = ordering();
  receive(10, 7);
  receive(15, 13);
  receive(18, 17);
  await clock.advance(199);
  expect(delivered).toEqual([10]);
  await clock.advance(1);
  expect(delivered).toEqual([10, 15, 18]);
  receive(19, 18);
  expect(delivered).toEqual([10, 15, 18, 19]);
  expect(clock.waiting).toBe(0);
});

test('waits for nothing when what was before is removed, or the stream is another one', () => {
  const { clock, delivered, receive } = ordering();
  for (const [at, previous] of [
    [10, 7],
    [15, 0],
    [18, 12],
    [1, 0],
    [2, 1],
  ] as const)
    receive(at, previous);
  expect(delivered).toEqual([10, 15, 18, 1, 2]);
  expect(clock.waiting).toBe(0);
});

test('keeps a bounded number waiting, and none after its end', () => {
  const { clock, delivered, order, receive } = ordering();
  receive(1, 0);
  for (let at = 3; at < 1010; at++) receive(at, at - 1);
  expect(delivered.length).toBeGreaterThan(1000);
  expect(delivered).toEqual([...delivered].sort((a, b) => a - b));
  receive(2000, 1999);
  order.close();
  expect(clock.waiting).toBe(0);
});
