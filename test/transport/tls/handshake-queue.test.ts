/** In which order handshakes begin, and how many in a turn of the event loop. */
import { expect, test } from 'vitest';
import { HandshakeQueue } from '../../../src/transport/tls/handshake-queue.ts';

/** A queue in an event loop whose turns the test makes. */
function queueInLoop() {
  let now = 0;
  let next: (() => void) | undefined;
  let rest: { readonly ms: number; readonly run: () => void } | undefined;
  const begun: string[] = [];
  const queue = new HandshakeQueue(
    (run) => {
      next = run;
    },
    () => now,
    (ms, run) => {
      rest = { ms, run };
    },
  );
  return {
    ended: (isCompleted: boolean, times: number) => {
      for (let each = 0; each < times; each++) queue.ended(isCompleted);
    },
    /** How long it rests now, in milliseconds. */
    rests: () => rest?.ms,
    /** What begins when the rest is over. */
    rested(): string[] {
      const { run } = rest ?? {};
      rest = undefined;
      run?.();
      return begun.splice(0);
    },
    add(host: string, name: string, isGone = false): void {
      queue.add(host, () => {
        if (!isGone) begun.push(name);
        return !isGone;
      });
    },
    /** What begins in the next turn. @param ms how long the turn before it took */
    turn(ms = 1): string[] {
      now += ms;
      const run = next;
      next = undefined;
      run?.();
      return begun.splice(0);
    },
    begun: () => begun.splice(0),
    isIdle: () => next === undefined,
  };
}

test('the first of a turn begins at once, each further one in a turn of its own', () => {
  const { add, turn, begun, isIdle } = queueInLoop();
  for (const name of ['1', '2', '3']) add('a', name);
  expect(begun()).toEqual(['1']);
  expect(turn()).toEqual(['2']);
  expect(turn()).toEqual(['3']);
  expect(turn()).toEqual([]);
  expect(isIdle()).toBe(true);
  add('a', '4');
  expect(begun()).toEqual(['4']);
});

test('addresses take turns', () => {
  const { add, turn, begun } = queueInLoop();
  for (let each = 0; each <= 50; each++) add('flood', `f${each}`);
  expect(begun()).toEqual(['f0']);
  add('a', 'a1');
  add('a', 'a2');
  add('b', 'b1');
  expect(Array.from({ length: 7 }, () => turn()).flat()).toEqual(['f1', 'a1', 'b1', 'f2', 'a2', 'f3', 'f4']);
});

test('after a turn that took longer, more of them begin, but not more than 4', () => {
  const { add, turn, begun } = queueInLoop();
  for (let each = 0; each <= 50; each++) add('a', `${each}`);
  expect(begun()).toEqual(['0']);
  expect(turn(4)).toHaveLength(1);
  expect(turn(9)).toHaveLength(3);
  expect(turn(1000)).toHaveLength(4);
});

test('those that are gone take no turn', () => {
  const { add, turn, begun } = queueInLoop();
  add('a', '0');
  expect(begun()).toEqual(['0']);
  for (let each = 0; each < 10; each++) add('a', `gone ${each}`, true);
  add('a', '1');
  expect(turn()).toEqual(['1']);
});

test('while most handshakes are not completed, each is followed by a rest three times as long', () => {
  const { add, turn, begun, ended, rests, rested } = queueInLoop();
  for (let each = 0; each < 9; each++) add('flood', `f${each}`);
  expect(begun()).toEqual(['f0']);
  ended(false, 16);
  expect(turn(2)).toEqual([]);
  expect(rests()).toBe(6);
  // A client that comes meanwhile is the next of its address.
  add('a', 'a1');
  expect(begun()).toEqual([]);
  expect(rested()).toEqual(['f1']);
  expect(turn(0.1)).toEqual([]);
  expect(rests()).toBe(1);
  expect(rested()).toEqual(['a1']);
  // A turn that something else made long is followed by the longest rest.
  expect(turn(1000)).toEqual([]);
  expect(rests()).toBe(8);
  expect(rested()).toEqual(['f2']);
  ended(true, 16);
  expect(turn()).toEqual(['f3']);
  expect(turn()).toEqual(['f4']);
  expect(rests()).toBeUndefined();
});

test('a few handshakes that are not completed slow nobody down', () => {
  const { add, turn, begun, ended, rests } = queueInLoop();
  add('a', '0');
  add('a', '1');
  expect(begun()).toEqual(['0']);
  ended(false, 8);
  expect(turn()).toEqual(['1']);
  expect(rests()).toBeUndefined();
});
