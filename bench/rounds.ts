/** All rounds: contenders interleaved, disturbed measurements repeated. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Contender } from './contenders.ts';
import { busySeconds } from './machine.ts';
import { formatQuantity } from './quantity.ts';
import { type Measurement, measure, type Settings } from './run.ts';
import type { Workload } from './workloads.ts';

/** One measurement of one round. */
export interface Run extends Measurement {
  readonly round: number;
  readonly workload: string;
  readonly contender: string;
  /** Others were busy, and repeating did not help. */
  readonly disturbed: boolean;
}

export interface Plan {
  readonly rounds: number;
  readonly workloads: readonly Workload[];
  readonly contenders: readonly Contender[];
  readonly settings: Settings;
  /** How many disturbed runs may be repeated, as a share of all runs: a machine that is never quiet must not hold it up. */
  readonly repeats: number;
  /** Told after each run; also before a workload begins. */
  readonly progress: (text: string) => void;
}

/** Others may use this much of one core before a run counts as disturbed. */
const tolerated = 0.1;
/** A disturbed run is repeated so often at the most. */
const repeatsOfOne = 2;
const longestWaitMs = 2000;

/** Who takes part in a workload. */
export function participants(workload: Workload, contenders: readonly Contender[]): Contender[] {
  return contenders.filter(({ serves, except }) => serves[workload.service] && !except?.[workload.name]);
}

/** Runs everything. In each round every contender has its turn, one after the other, and another one begins. */
export async function runAll({ rounds, workloads, contenders, settings, repeats, progress }: Plan): Promise<Run[]> {
  const runs: Run[] = [];
  const each = workloads.reduce((sum, workload) => sum + participants(workload, contenders).length, 0);
  const budget = { left: Math.ceil(each * rounds * repeats) };
  for (let round = 1; round <= rounds; round++) {
    for (const workload of workloads) {
      progress(`\nround ${round} of ${rounds}, ${workload.name} (${workload.unit}):`);
      for (const [place, contender] of rotated(participants(workload, contenders), round - 1).entries()) {
        const measurement = await measureQuietly(contender, workload, settings, budget);
        runs.push({ round, workload: workload.name, contender: contender.name, ...measurement });
        progress(`${place > 0 ? ',' : ''} ${contender.name} ${brief(measurement)}`);
      }
    }
  }
  progress('\n');
  return runs;
}

/** Repeats what others have disturbed, and once what has failed; gives the least disturbed one. */
async function measureQuietly(
  contender: Contender,
  workload: Workload,
  settings: Settings,
  budget: { left: number },
): Promise<Measurement & { disturbed: boolean }> {
  const first = await measure(contender, workload, settings);
  const tries = [first.failure === undefined ? first : await measure(contender, workload, settings)];
  while (isDisturbed(tries.at(-1)) && tries.length <= repeatsOfOne && budget.left > 0) {
    budget.left--;
    await quietness();
    tries.push(await measure(contender, workload, settings));
  }
  const [best = {}] = tries.toSorted((a, b) => badness(a) - badness(b));
  return { ...best, disturbed: isDisturbed(best) };
}

function isDisturbed({ foreign = 0 }: Measurement = {}): boolean {
  return foreign > tolerated;
}

function badness({ failure, foreign = 0 }: Measurement): number {
  return failure === undefined ? foreign : Number.POSITIVE_INFINITY;
}

/** Resolves when nobody else is busy, or after two seconds. */
async function quietness(): Promise<void> {
  const giveUpAt = performance.now() + longestWaitMs;
  while (performance.now() < giveUpAt) {
    const before = busySeconds();
    await delay(200);
    if ((busySeconds() - before) / 0.2 < tolerated) return;
  }
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const from = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}

function brief({ value, failure }: Measurement): string {
  return failure === undefined && value !== undefined ? formatQuantity(value) : 'failed';
}
