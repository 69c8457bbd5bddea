/** When children are started for clients: one after another, with pauses. */
import { expect, test } from 'vitest';
import { StartQueue } from '../../src/process/start-queue.ts';

/** A queue whose time the test makes. */
function queueInTime() {
  let now = 0;
  let timer: { readonly at: number; readonly run: () => void } | undefined;
  const started: string[] = [];
  const queue = new StartQueue({
    now: () => now,
    after: (ms, run) => {
      timer = { at: now + ms, run };
    },
  });
  return {
    /** @param ms how long starting it takes */
    add: (client: string, name: string, ms = 0) =>
      queue.add(client, () => {
        now += ms;
        started.push(name);
      }),
    started: () => started.splice(0),
    /** The length of the pause that ends now; undefined: there is none. */
    endPause(): number | undefined {
      const due = timer;
      if (!due) return undefined;
      const length = due.at - now;
      now = due.at;
      timer = undefined;
      due.run();
      return length;
    },
  };
}

test('the first child starts at once, each further one after a pause', () => {
  const { add, started, endPause } = queueInTime();
  for (const name of ['1', '2', '3']) add('a', name);
  expect(started()).toEqual(['1']);
  expect(endPause()).toBeGreaterThan(0);
  expect(started()).toEqual(['2']);
  endPause();
  expect(started()).toEqual(['3']);
  endPause();
  expect(endPause()).toBeUndefined();
  add('a', '4');
  expect(started()).toEqual(['4']);
});

test('a child that takes long to start is followed by a longer pause, so that starts take a small part of the time', () => {
  const { add, endPause } = queueInTime();
  add('a', 'fast');
  const least = endPause() as number;
  add('a', 'slow', 2);
  expect(endPause()).toBe(16);
  expect(least).toBeLessThan(16);
  // On a busy machine a start takes long, and pausing does not help.
  add('a', 'very slow', 100);
  expect(endPause()).toBe(20);
});

test('clients take turns, so that one with many children does not keep others waiting', () => {
  const { add, started, endPause } = queueInTime();
  for (let number = 0; number < 100; number++) add('storm', `storm ${number}`);
  add('innocent', 'innocent 0');
  add('innocent', 'innocent 1');
  for (let pause = 0; pause < 4; pause++) endPause();
  expect(started()).toEqual(['storm 0', 'storm 1', 'innocent 0', 'storm 2', 'innocent 1']);
});

test('a child whose client has left is not started, and takes no turn', () => {
  const { add, started, endPause } = queueInTime();
  const first = add('a', '1');
  const cancels = Array.from({ length: 1000 }, (_, number) => add('a', `gone ${number}`));
  add('a', '2');
  expect(first()).toBe(false);
  for (const cancel of cancels) expect(cancel()).toBe(true);
  for (const cancel of cancels) expect(cancel()).toBe(false);
  endPause();
  expect(started()).toEqual(['1', '2']);
});

test('while most clients leave before it is their turn, pauses are long; those that stay end that', () => {
  const { add, started, endPause } = queueInTime();
  add('a', 'first');
  const cancels = Array.from({ length: 100 }, (_, number) => add(`storm ${number}`, `gone ${number}`));
  for (const cancel of cancels) cancel();
  add('innocent', '0');
  // The pause that had begun is not prolonged.
  const usual = endPause() as number;
  for (let number = 1; number < 50; number++) add('innocent', `${number}`);
  const pauses = Array.from({ length: 50 }, endPause) as number[];
  expect(started()).toHaveLength(51);
  const long = pauses.filter((pause) => pause > usual);
  expect(long[0]).toBeGreaterThanOrEqual(10 * usual);
  expect(long.length).toBeLessThan(16);
  expect(pauses.slice(long.length)).toEqual(Array(50 - long.length).fill(usual));
});
