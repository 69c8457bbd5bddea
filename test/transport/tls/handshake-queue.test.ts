/** In which order handshakes begin, and how many in a turn of the event loop. */
import { expect, test } from 'vitest';
import { HandshakeQueue } from '../../../src/transport/tls/handshake-queue.ts';

/** A queue in an event loop whose turns the test makes. */
function queueInLoop() {
  let now = 0;
  let next: (() => void) | undefined;
  const begun: string[] = [];
  const queue = new HandshakeQueue(
    (run) => {
      next = run;
    },
    () => now,
  );
  return {
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
