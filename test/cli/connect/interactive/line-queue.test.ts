import { expect, test, vi } from 'vitest';
import { LineQueue } from '../../../../src/cli/connect/interactive/line-queue.ts';
import { eventually } from '../../../support/eventually.ts';

/** A queue whose lines can be sent only after `open()`. */
function queueOf() {
  const opened = Promise.withResolvers<void>();
  const events = { send: vi.fn(), full: vi.fn(), low: vi.fn(), empty: vi.fn() };
  const queue = new LineQueue({ ...events, ready: () => opened.promise });
  return { queue, events, open: () => opened.resolve() };
}

test('lines wait until they can be sent, and are sent in order', async () => {
  const { queue, events, open } = queueOf();
  for (const line of ['one', 'two', 'three']) queue.add(line);
  expect(queue.length).toBe(3);
  expect(events.send).not.toHaveBeenCalled();
  open();
  await eventually(() => expect(events.empty).toHaveBeenCalledOnce());
  expect(events.send.mock.calls.flat()).toEqual(['one', 'two', 'three']);
});

test('discarded lines are not sent', async () => {
  const { queue, events, open } = queueOf();
  queue.add('one');
  queue.add('two');
  expect(queue.discard()).toBe(2);
  expect(queue.length).toBe(0);
  open();
  await new Promise(setImmediate);
  expect(events.send).not.toHaveBeenCalled();
});

test('a queue reports once that it is full, and that it is low again', async () => {
  const { queue, events, open } = queueOf();
  const line = 'x'.repeat(30_000_000);
  for (let count = 0; count < 4; count++) queue.add(line);
  expect(events.full).toHaveBeenCalledOnce();
  open();
  await eventually(() => expect(queue.length).toBe(0));
  expect(events.low).toHaveBeenCalledOnce();
});
