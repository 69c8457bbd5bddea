import { type DueTimes, Schedule } from '../schedule.ts';
import { type Stage, StagedSchedule } from '../stages.ts';

/** When rounds may begin. */
export interface RoundsOptions {
  /** On the clock of `performance.now()`. */
  readonly startAt: number;
  /** No round begins from this time on. */
  readonly stopAt: number;
  /** The number of rounds of this process; null for no limit. */
  readonly count: number | null;
  /** Rounds per second over all processes; null: a round begins when a user is free. */
  readonly rate: number | null;
  readonly stages: readonly Stage[] | undefined;
  /** The number of processes, and that of this one. */
  readonly every: number;
  readonly offset: number;
}

/** A round that a user may play. */
export interface Round {
  /** When it was due, if it had to wait for a user. */
  readonly dueAt: number | undefined;
  /** How much later it begins because of this process, in milliseconds; undefined without a rate. */
  readonly lateness: number | undefined;
}

/** Distributes rounds among users. */
export class Rounds {
  readonly #options: RoundsOptions;
  readonly #schedule: DueTimes | undefined;
  readonly #sleeping = new Set<() => void>();
  #next = 0;
  #isStopped = false;

  constructor(options: RoundsOptions) {
    this.#options = options;
    const { startAt: start, rate, stages, every, offset } = options;
    const schedule = { start, rate: rate ?? 1, every, offset };
    if (stages) this.#schedule = new StagedSchedule(stages, schedule);
    else if (rate !== null) this.#schedule = new Schedule(schedule);
  }

  /** Resolves when the next round may begin; with undefined when there are no more. */
  async next(): Promise<Round | undefined> {
    const { count, stopAt } = this.#options;
    if (this.#isStopped || (count !== null && this.#next >= count)) return undefined;
    const number = this.#next++;
    if (!this.#schedule) return performance.now() < stopAt ? { dueAt: undefined, lateness: undefined } : undefined;
    const due = this.#schedule.dueAt(number);
    if (due >= stopAt) return undefined;
    const left = due - performance.now();
    if (left <= 0) return { dueAt: due, lateness: undefined };
    await this.#sleep(left);
    if (this.#isStopped) return undefined;
    return { dueAt: undefined, lateness: Math.max(0, performance.now() - due) };
  }

  /** No more rounds begin. */
  stop(): void {
    this.#isStopped = true;
    for (const wake of this.#sleeping) wake();
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleeping.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#sleeping.add(wake);
    });
  }
}
