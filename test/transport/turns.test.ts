import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { awaitTurn, spendTurn, type TurnTaker } from '../../src/transport/turns.ts';

const chunk = 65_536;

function taker(taken: string[], name: string): TurnTaker {
  return { takeTurn: () => void taken.push(name) };
}

/** The time of `performance.now`: it passes only by {@link work}. */
let now = 1000;

/** Handling a chunk of many tiny messages. */
function work(milliseconds: number): void {
  now += milliseconds;
}

test('a connection whose few bytes take long lets others read, and those take turns one at a time', async () => {
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  onTestFinished(() => clock.mockRestore());
  const taken: string[] = [];
  const reader = taker(taken, 'reader');
  spendTurn(reader, chunk);
  work(5);
  expect(spendTurn(reader, chunk)).toBe(true);
  // A message of a few bytes waits for nobody.
  expect(spendTurn(taker(taken, 'small'), 100)).toBe(false);
  for (const name of ['first', 'second', 'third']) awaitTurn(taker(taken, name));
  await turn();
  expect(taken).toEqual(['first']);
  // The next turns are not too long.
  await turn();
  await turn();
  expect(taken).toEqual(['first', 'second', 'third']);
});
