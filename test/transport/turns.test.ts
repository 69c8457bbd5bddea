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

test('a turn is shorter for a while after somebody has sent little', async () => {
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  onTestFinished(() => clock.mockRestore());
  const reader = taker([], 'reader');
  /** How long the reader reads before it lets others read. */
  const turnLength = async () => {
    await turn();
    let length = 0;
    for (spendTurn(reader, chunk); length < 10; length += 1 / 16) {
      if (spendTurn(reader, chunk)) break;
      work(1 / 16);
    }
    return length;
  };
  // Whatever the tests before have left is over.
  let long = 0;
  for (let turns = 0; turns < 1000; turns++) long = await turnLength();
  spendTurn(undefined, 100);
  const short = await turnLength();
  expect(short).toBeLessThanOrEqual(long / 2 + 1 / 16);
  expect(short).toBeGreaterThan(0);
  for (let turns = 0; turns < 1000; turns++) await turnLength();
  expect(await turnLength()).toBe(long);
});
