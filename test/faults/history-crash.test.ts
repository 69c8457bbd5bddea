/** kill -9 while rooms store. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { openJournal } from '../../src/journal/sqlite.ts';
import { Verification } from '../../src/journal/verify.ts';
import { contentOf, expectChain, readAll, recording } from '../rooms/stored/conformance.ts';
import { temporaryFolder } from '../support/files.ts';
import { start } from '../support/process/command.ts';
import { waitUntil } from '../support/process/process.ts';

const program = new URL('./appending-program.ts', import.meta.url).pathname;
const times = 4;

/** Starts the program, and kills it at any moment. Returns what it has printed. */
async function killed(
  file: string,
  run: number,
): Promise<readonly (readonly [room: string, number: number, id: string])[]> {
  const running = start([process.execPath, program, file, `${run}`]);
  const printed = () => running.stdout().split('\n').slice(0, -1);
  let hasEnded = false;
  void running.ended.finally(() => {
    hasEnded = true;
  });
  await waitUntil('something is stored in each room', () => hasEnded || printed().length >= 40);
  await delay(Math.random() * 100);
  const { signal, stderr } = await running.stop('SIGKILL');
  expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
  return printed().map((line) => {
    const [room = '', number = '', id = ''] = line.split(' ');
    return [room, Number(number), id];
  });
}

test(`after kill -9, ${times} times, everything that was stored is there, once and in order`, {
  timeout: 60_000,
}, async () => {
  const file = join(temporaryFolder(), 'rooms.journal');
  const stored: Awaited<ReturnType<typeof killed>>[number][] = [];
  for (let run = 0; run < times; run++) stored.push(...(await killed(file, run)));
  const journal = await openJournal(file);
  onTestFinished(() => journal.close());
  const store = journal.openStore();
  store.start(recording({}).receiver);
  for (const room of ['a', 'b', 'c', 'd']) {
    const batches = await readAll(store, room);
    const contents = expectChain(batches);
    const ends = new Map(batches.map(({ first, count, id }) => [id, first + count - 1]));
    expect(ends.size).toBe(batches.length);
    const own = stored.filter(([name]) => name === room);
    expect(own.filter(([, number, id]) => ends.get(id) !== number)).toEqual([]);
    for (let run = 0; run < times; run++) {
      const kept = contents.filter((content) => content.startsWith(`${run} `));
      expect(kept).toEqual(kept.map((_, index) => `${run} ${index}`));
      expect(kept.length).toBeGreaterThan(0);
    }
    // One batch after another: at most the last one is not known to be stored.
    expect(batches.length - own.length).toBeLessThanOrEqual(times);
    expect(contentOf(batches[0] as (typeof batches)[0])).toBe('0 0');
  }
  const verification = new Verification(file);
  for await (const step of verification.run()) void step;
  verification.close();
  expect(verification.problems).toEqual([]);
});
