/** How many accepted connections are served in one turn of the event loop, and what happens to the others. */
import { expect, test } from 'vitest';
import { AcceptTurns, type WaitingSocket } from '../../src/transport/accept-turns.ts';

/** Sockets are numbers; serving one takes an eighth of the time of a turn, unless the test says otherwise. */
function turnsInLoop(most = 1000, ms = 1 / 16) {
  let now = 0;
  let next: (() => void) | undefined;
  let rest: (() => void) | undefined;
  const served: number[] = [];
  const refused: number[] = [];
  let left = 0;
  const turns = new AcceptTurns<number>({
    most,
    serve: (socket) => {
      served.push(socket);
      now += ms;
      return true;
    },
    left: () => {
      left++;
    },
    refuse: (socket) => refused.push(socket),
    soon: (run) => {
      next = run;
    },
    after: (_ms, run) => {
      rest = run;
    },
    now: () => now,
  });
  return {
    turns,
    accept: (from: number, to: number) => {
      const waiting: WaitingSocket<number>[] = [];
      for (let socket = from; socket < to; socket++) {
        const one = turns.accept(socket);
        if (one) waiting.push(one);
      }
      return waiting;
    },
    served: () => served.splice(0),
    turn: () => {
      const run = next;
      next = undefined;
      run?.();
      return served.splice(0);
    },
    /** Whether serving rests; if so, the rest ends. */
    endRest: () => {
      const run = rest;
      rest = undefined;
      run?.();
      return run !== undefined;
    },
    left: () => left,
    refused,
    isIdle: () => next === undefined,
  };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

test('a few connections are served at once, further ones in the next turns, in their order', () => {
  const { turns, accept, served, turn, isIdle } = turnsInLoop();
  expect(accept(0, 25)).toHaveLength(17);
  expect(served()).toEqual(numbers(0, 8));
  expect(turns.size).toBe(17);
  // One that arrives meanwhile does not overtake them.
  accept(25, 26);
  expect(turn()).toEqual(numbers(8, 16));
  expect(turn()).toEqual(numbers(16, 24));
  expect(turn()).toEqual(numbers(24, 26));
  expect(turns.size).toBe(0);
  turn();
  expect(isIdle()).toBe(true);
});

test('one is served in each turn, even if that takes longer than the turn may', () => {
  const { accept, served, turn } = turnsInLoop(1000, 20);
  accept(0, 3);
  expect(served()).toEqual([0]);
  expect(turn()).toEqual([1]);
  expect(turn()).toEqual([2]);
});

test('a connection that is closed while it waits is not served, and costs no turn', () => {
  const { accept, served, turn, endRest, left, turns } = turnsInLoop();
  const waiting = accept(0, 500);
  expect(served()).toEqual(numbers(0, 8));
  for (const one of waiting.slice(0, -1)) one.closed();
  for (const one of waiting.slice(0, -1)) one.closed();
  expect(left()).toBe(491);
  expect(turns.size).toBe(1);
  turn();
  expect(endRest()).toBe(true);
  expect(served()).toEqual([499]);
});

test('no more than a backlog waits: then the first is served at once', () => {
  const { accept, served, turns } = turnsInLoop(100);
  accept(0, 200);
  expect(served()).toEqual(numbers(0, 100));
  expect(turns.size).toBe(100);
});

test('when the listener is closed, those that wait are refused, and so is who comes later', () => {
  const { turns, accept, served, turn, refused, left } = turnsInLoop();
  accept(0, 20);
  expect(served()).toEqual(numbers(0, 8));
  turns.close();
  expect(refused).toEqual(numbers(8, 20));
  expect(turns.size).toBe(0);
  expect(turn()).toEqual([]);
  expect(accept(20, 21)).toHaveLength(1);
  expect(turn()).toEqual([]);
  expect(refused).toEqual(numbers(8, 21));
  expect(left()).toBe(0);
});

/** Many clients reset while they wait. */
function flood() {
  const loop = turnsInLoop();
  for (const one of loop.accept(0, 100)) one.closed();
  loop.served();
  loop.turn();
  loop.endRest();
  return loop;
}

test('in a flood of clients that reset while they wait all wait, and a few are served after each rest', () => {
  const { accept, served, turn, endRest } = flood();
  expect(accept(100, 110)).toHaveLength(10);
  expect(turn()).toEqual([]);
  expect(endRest()).toBe(true);
  const first = served();
  expect(first[0]).toBe(100);
  expect(first.length).toBeLessThan(8);
  expect(turn()).toEqual([]);
  expect(endRest()).toBe(true);
  expect(served()[0]).toBe(100 + first.length);
});

test('a flood is over once clients stay to be served: thousands of them do not wait for rests', () => {
  const { accept, turn, endRest, served, turns } = flood();
  accept(100, 5100);
  let rests = 0;
  const all: number[] = [];
  for (let turnsTaken = 0; turns.size > 0 && turnsTaken < 5000; turnsTaken++) {
    all.push(...turn());
    if (!endRest()) continue;
    rests++;
    all.push(...served());
  }
  all.push(...turn());
  expect(all).toEqual(numbers(100, 5100));
  expect(rests).toBeLessThan(100);
});

test('when the listener is about to close, nothing rests', () => {
  const { accept, turn, endRest, served, turns } = flood();
  accept(100, 200);
  turn();
  turns.hurry();
  expect(served()).toEqual(numbers(100, 108));
  expect(turn()).toEqual(numbers(108, 116));
  // The rest that had begun ends, which changes nothing.
  endRest();
  served();
  turn();
  expect(endRest()).toBe(false);
});
