/**
 * What faults do to a direction besides its messages: ends after a time, black holes, and a late end.
 *
 * | State  | Messages           | The end                                   |
 * |--------|--------------------|-------------------------------------------|
 * | open   | pass               | passes, after `slow-close`                |
 * | hole   | are dropped        | waits until the fault is removed, or long |
 */
import type { Clock, Timer } from '../../clock.ts';
import { concerns, includesSession, type Stream } from './effects.ts';
import { dueOf } from './fault.ts';
import type { CountedFault, Faults } from './fault-set.ts';

/** A client that ended into a black hole is not kept for longer than this: it may be gone for good. */
const longestHoleMs = 300_000;

/** What a link does when a fault acts by itself. */
export interface TriggeredLink {
  report(fault: CountedFault): void;
  finish(how: 'reset' | 'close', by: CountedFault): void;
}

/** The faults of one direction that need no message. */
export class Triggers {
  readonly #stream: Stream;
  readonly #faults: Faults;
  readonly #clock: Clock;
  readonly #link: TriggeredLink;
  readonly #began: number;
  readonly #unsubscribe: () => void;
  /** Faults that have acted. */
  readonly #fired = new Set<CountedFault>();
  #timer: Timer | undefined;
  #hole: CountedFault | undefined;
  #holeTimer: Timer | undefined;
  #whenClosed: (() => void)[] = [];
  #concernsAny = false;

  constructor(stream: Stream, faults: Faults, clock: Clock, link: TriggeredLink) {
    this.#stream = stream;
    this.#faults = faults;
    this.#clock = clock;
    this.#link = link;
    this.#began = clock.now();
    this.#unsubscribe = faults.onChange(() => this.#changed());
    this.#changed();
  }

  /** Milliseconds since the session began. */
  get elapsed(): number {
    return this.#clock.now() - this.#began;
  }

  /** Whether any fault concerns this direction of this session. */
  get concernsAny(): boolean {
    return this.#concernsAny;
  }

  /** Whether messages are dropped. */
  get hasHole(): boolean {
    return this.#hole !== undefined;
  }

  /** Drops messages from now on, until the fault is removed or changed. */
  openHole(by: CountedFault): void {
    if (this.#hole) return;
    this.#hole = by;
    const { action } = by.fault;
    if (action.kind !== 'blackhole' || action.time === undefined) return;
    this.#holeTimer = this.#clock.after(action.time, () => this.#link.finish('close', by));
  }

  /** Resolves when the end may pass. */
  holeClosed(): Promise<void> {
    if (!this.#hole) return Promise.resolve();
    this.#holeTimer ??= this.#clock.after(longestHoleMs, () => this.#closeHole());
    return new Promise((resolve) => this.#whenClosed.push(resolve));
  }

  /** How long the end is delayed. */
  endDelay(): number {
    const { elapsed } = this;
    let delay = 0;
    for (const { fault } of this.#own()) {
      if (fault.action.kind === 'slow-close' && elapsed >= (fault.when?.afterTime ?? 0)) delay += fault.action.time;
    }
    return delay;
  }

  stop(): void {
    this.#unsubscribe();
    this.#timer?.cancel();
    this.#closeHole();
  }

  #own(): CountedFault[] {
    return this.#faults.counted.filter(
      (one) => concerns(one, this.#stream.direction) && includesSession(one, this.#stream),
    );
  }

  #changed(): void {
    if (this.#hole && !this.#faults.counted.includes(this.#hole)) this.#closeHole();
    this.#concernsAny = this.#own().length > 0;
    this.#arm();
  }

  #closeHole(): void {
    this.#hole = undefined;
    this.#holeTimer?.cancel();
    this.#holeTimer = undefined;
    for (const resolve of this.#whenClosed.splice(0)) resolve();
  }

  /** Sets the timer for the fault that acts next. */
  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    let first = Number.POSITIVE_INFINITY;
    for (const one of this.#own()) if (!this.#fired.has(one)) first = Math.min(first, dueOf(one.fault) ?? first);
    if (first === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.after(Math.max(0, first - this.elapsed), () => this.#fire());
  }

  #fire(): void {
    const { elapsed } = this;
    for (const one of this.#own()) {
      // Timers may fire a little early.
      if (this.#fired.has(one) || (dueOf(one.fault) ?? Number.POSITIVE_INFINITY) > elapsed + 1) continue;
      this.#fired.add(one);
      this.#link.report(one);
      const { kind } = one.fault.action;
      if (kind === 'blackhole') this.openHole(one);
      else return this.#link.finish(kind === 'reset' ? 'reset' : 'close', one);
    }
    this.#arm();
  }
}
