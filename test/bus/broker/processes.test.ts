/** Servers that are killed, stopped and replaced: the others know who is there. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { waitUntil } from '../../support/process/process.ts';
import { BrokerProgram, type Kind, kinds, withBrokers } from './programs.ts';
import { ServerProcess } from './server-process.ts';

/** How often each happens. Set PRESENCE_ROUNDS=10 for ten times. */
const rounds = Number(process.env.PRESENCE_ROUNDS ?? 2);
const timeoutMs = 60_000 + 15_000 * rounds;

/** Waits until each of these knows exactly these members. @returns how long that took, in milliseconds */
async function know(servers: readonly ServerProcess[], names: readonly string[]): Promise<number> {
  const started = performance.now();
  const expected = names.toSorted().join(' ');
  const known = () => servers.map(({ report }) => `${report?.size}: ${report?.names.join(' ')}`);
  try {
    await waitUntil(expected, () => known().every((text) => text === `${names.length}: ${expected}`));
  } catch {
    expect(known()).toEqual(servers.map(() => `${names.length}: ${expected}`));
  }
  return performance.now() - started;
}

async function killStopAndReplace(kind: Kind): Promise<void> {
  const broker = await BrokerProgram.start(kind);
  const begin = (...names: string[]) => ServerProcess.start(broker.url(), names);
  const [watching, stopped, first] = await Promise.all([begin('w'), begin('s1', 's2'), begin('k0')]);
  let killed = first;
  await know([watching, stopped, killed], ['w', 's1', 's2', 'k0']);
  const times: Record<string, number[]> = { gone: [], back: [], new: [] };
  for (let round = 1; round <= rounds; round++) {
    killed.signal('SIGKILL');
    stopped.signal('SIGSTOP');
    times.gone?.push(await know([watching], ['w']));
    // It is stopped for 5 s and more; meanwhile the killed one is replaced.
    const [next] = await Promise.all([begin(`k${round}`), delay(2000)]);
    times.new?.push(await know([watching, next], ['w', `k${round}`]));
    stopped.signal('SIGCONT');
    times.back?.push(await know([watching, next], ['w', 's1', 's2', `k${round}`]));
    // It learns itself what has happened meanwhile: the killed one has not said anything for 3 s in which it ran.
    await know([stopped], ['w', 's1', 's2', `k${round}`]);
    killed = next;
  }
  // 4 s, and what a busy machine adds. A server that was stopped would otherwise be back after 10 s.
  for (const time of times.gone ?? []) expect(time).toBeLessThan(8000);
  for (const time of times.back ?? []) expect(time).toBeLessThan(4000);
  if (process.env.PRESENCE_ROUNDS !== undefined) process.stderr.write(`${kind}: ${JSON.stringify(times)}\n`);
  // Nobody comes back from the dead.
  await delay(1500);
  await know([watching, stopped, killed], ['w', 's1', 's2', `k${rounds}`]);
}

withBrokers(
  'servers that are killed and stopped are gone, and those that run again or replace them are there',
  async () => void (await Promise.all(kinds.map(killStopAndReplace))),
  timeoutMs,
);
