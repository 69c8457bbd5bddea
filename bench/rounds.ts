/** Runs all rounds and slices: interleaves the contenders and repeats disturbed measurements. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Contender } from './contenders.ts';
import type { Settings } from './generator.ts';
import { busySeconds } from './machine.ts';
import { formatQuantity } from './quantity.ts';
import { hasSlices, type Measurement, openRunner, type Runner } from './run.ts';
import type { Workload } from './workloads.ts';

/** One measurement of one slice. */
export interface Run extends Measurement {
  readonly round: number;
  /** Starts at 1 in each round. */
  readonly slice: number;
  readonly workload: string;
  readonly contender: string;
  /** Other processes were busy, and repeating did not help. */
  readonly disturbed: boolean;
}

export interface Plan {
  readonly rounds: number;
  readonly workloads: readonly Workload[];
  readonly contenders: readonly Contender[];
  readonly settings: Settings;
  /** The share of all runs that may be repeated, so that a machine that is never quiet does not delay the benchmark. */
  readonly repeats: number;
  /** Called after each run and before each workload. */
  readonly progress: (text: string) => void;
}

/** A run counts as disturbed when other processes use more than this share of one core. */
const tolerated = 0.1;
/** Maximum number of times a disturbed run is repeated. */
const repeatsOfOne = 2;
const longestWaitMs = 600;

/** The contenders that take part in a workload. */
export function participants(workload: Workload, contenders: readonly Contender[]): Contender[] {
  return contenders.filter(({ serves, drives, except }) => {
    const can = workload.mode === 'drive' ? drives : serves[workload.service];
    return can && !except?.[workload.name];
  });
}

/** The number of measurements of each contender in a round. */
function slicesOf(workload: Workload, { slices }: Settings): number {
  return hasSlices(workload) ? slices : 1;
}

/** Runs everything. In each slice the contenders take turns, starting with a different one. */
export async function runAll(plan: Plan): Promise<Run[]> {
  const { rounds, workloads, contenders, settings, repeats, progress } = plan;
  const runs: Run[] = [];
  const each = workloads.reduce(
    (sum, workload) => sum + participants(workload, contenders).length * slicesOf(workload, settings),
    0,
  );
  const budget = { left: Math.ceil(each * rounds * repeats) };
  for (let round = 1; round <= rounds; round++) {
    for (const workload of workloads) {
      progress(`\nround ${round} of ${rounds}, ${workload.name} (${workload.unit}):`);
      runs.push(...(await runRound(round, workload, plan, budget)));
    }
  }
  progress('\n');
  return runs;
}

/** Runs one workload of a round. All servers are warmed up before the first is measured. */
async function runRound(
  round: number,
  workload: Workload,
  { contenders, settings, progress }: Plan,
  budget: { left: number },
): Promise<Run[]> {
  const runs: Run[] = [];
  const order = rotated(participants(workload, contenders), round - 1);
  const runner = openRunner(workload, settings);
  try {
    for (const contender of order) await runner.prepare(contender);
    for (let slice = 1; slice <= slicesOf(workload, settings); slice++) {
      for (const contender of rotated(order, slice - 1)) {
        const measurement = await measureUndisturbed(contender, runner, budget);
        runs.push({ round, slice, workload: workload.name, contender: contender.name, ...measurement });
        progress(` ${contender.name} ${brief(measurement)}`);
      }
      progress(';');
    }
  } finally {
    await runner.end();
  }
  return runs;
}

/** Repeats disturbed measurements, and failed ones once. Returns the least disturbed one. */
async function measureUndisturbed(
  contender: Contender,
  runner: Runner,
  budget: { left: number },
): Promise<Measurement & { disturbed: boolean }> {
  const first = await runner.measure(contender);
  const tries = [first.failure === undefined ? first : await runner.measure(contender)];
  while (isDisturbed(tries.at(-1)) && tries.length <= repeatsOfOne && budget.left > 0) {
    budget.left--;
    await waitUntilQuiet();
    tries.push(await runner.measure(contender));
  }
  const [best = {}] = tries.toSorted((a, b) => disturbance(a) - disturbance(b));
  return { ...best, disturbed: isDisturbed(best) };
}

function isDisturbed({ foreign = 0 }: Measurement = {}): boolean {
  return foreign > tolerated;
}

function disturbance({ failure, foreign = 0 }: Measurement): number {
  return failure === undefined ? foreign : Number.POSITIVE_INFINITY;
}

/** Resolves when other processes are idle, or after {@link longestWaitMs}. */
async function waitUntilQuiet(): Promise<void> {
  const deadline = performance.now() + longestWaitMs;
  while (performance.now() < deadline) {
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
