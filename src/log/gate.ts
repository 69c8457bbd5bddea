/**
 * Decides before a line is formatted whether it will be logged, and counts what is not: at the end of each second one line
 * reports it for each source.
 */
import { Budget } from './budget.ts';

/** What a line is about, as the field `event` of the JSON log names it. */
export type LineKind =
  | 'message'
  | 'connected'
  | 'closed'
  | 'refused'
  | 'left'
  | 'discarded'
  | 'undelivered'
  | 'room-joined'
  | 'room-left'
  | 'missed'
  | 'handler-failed'
  | 'fault'
  | 'upstream-failed'
  | 'unexpected'
  | 'output';

/** Lines that were not logged. */
export interface LeftOut<Source> {
  readonly kind: LineKind;
  readonly lines: number;
  /** What caused them; undefined: several. */
  readonly source: Source | undefined;
  /** The number of sources. */
  readonly sources: number;
}

/** The output behind a gate. */
export interface GatedOutput {
  /** Whether it takes lines now. */
  readonly isOpen: boolean;
  /** Counts lines that were not formatted because it takes none. */
  drop(lines: number): void;
}

/** The time, and timers that do not keep the process alive. */
export interface GateClock {
  /** Milliseconds, of the time of day. */
  now(): number;
  after(ms: number, run: () => void): void;
}

/** The real time. */
export const realGateClock: GateClock = {
  now: () => Date.now(),
  after: (ms, run) => void setTimeout(run, ms).unref(),
};

/** How a {@link Gate} behaves. */
export interface GateOptions<Source> {
  /** Lines per second; 0: no limit. */
  readonly rate: number;
  /** Lines of one kind from one source in a second; further ones are counted. Default: no limit of its own. */
  readonly perSource?: number | undefined;
  readonly output: GatedOutput;
  /** Writes a line about lines that were not logged. */
  readonly report: (left: LeftOut<Source>) => void;
  readonly clock?: GateClock | undefined;
}

/** What one source has used, and what was left out of it, in the current interval. */
export interface Use<Source> {
  readonly kind: LineKind;
  readonly source: Source | undefined;
  lines: number;
  spent: number;
  leftOut: number;
}

/** How often what was left out is reported, in milliseconds. Until then a heavy source that was cut off stays so. */
const intervalMs = 1000;
/** Lines that report it, in one interval; further sources share one for each kind. */
const maxReports = 100;
/** Sources that are distinguished in an interval, unless they are objects that exist anyway. */
const maxNames = 1000;

/** Admits lines at a rate, and reports what it left out. `Source` is what the lines are about, such as a session. */
export class Gate<Source> {
  readonly #options: GateOptions<Source>;
  readonly #clock: GateClock;
  readonly #budget: Budget | undefined;
  #uses = new Map<unknown, Use<Source>>();
  #isTimed = false;

  constructor(options: GateOptions<Source>) {
    const { rate, clock = realGateClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#budget = rate === 0 ? undefined : new Budget(rate);
  }

  /** What this source has used. @param key distinguishes sources: an object, or a text, of which there can be any number */
  use(kind: LineKind, key: object | string, source: Source): Use<Source> {
    this.#budget?.fill(this.#clock.now());
    const known = this.#uses.get(key);
    if (known) return known;
    if (typeof key === 'string' && this.#uses.size >= maxNames) return this.#shared(kind);
    return this.#add(key, { kind, source, lines: 0, spent: 0, leftOut: 0 });
  }

  /** Whether a line may be formatted. Otherwise call {@link leaveOut}. */
  admits({ leftOut, lines, spent }: Use<Source>): boolean {
    const { output, perSource = Number.POSITIVE_INFINITY } = this.#options;
    if (!output.isOpen) return false;
    const budget = this.#budget;
    if (!budget) return true;
    if (lines >= perSource || (leftOut > 0 && budget.isHeavy(spent))) return false;
    return budget.allows(spent);
  }

  /** Counts a line that was formatted. */
  count(use: Use<Source>, length: number): void {
    if (!this.#budget) return;
    use.lines++;
    use.spent += this.#budget.take(length);
  }

  /** Counts lines that were not admitted. */
  leaveOut(use: Use<Source>, lines: number): void {
    if (this.#options.output.isOpen) use.leftOut += lines;
    else this.#options.output.drop(lines);
  }

  /**
   * A source ends. It is no longer kept, because it may keep much memory itself: a session keeps its last messages.
   *
   * @param isReported whether what was left out of it is reported now. If not, that is done at the end of the interval
   * @param name what stands for the source until then
   */
  end(key: object | string, isReported: boolean, name: Source): void {
    const use = this.#uses.get(key);
    if (!use) return;
    this.#uses.delete(key);
    if (use.leftOut === 0) return;
    if (isReported && this.#options.output.isOpen) return this.#options.report(reportOf([use]));
    if (this.#uses.size >= maxNames) this.#shared(use.kind).leftOut += use.leftOut;
    else this.#add({}, { ...use, source: name });
  }

  /** Reports everything that was left out, even if the output takes no lines now. */
  close(): void {
    this.#report();
  }

  /** Names beyond the limit. */
  #shared(kind: LineKind): Use<Source> {
    const key = `${kind} of others`;
    return this.#uses.get(key) ?? this.#add(key, { kind, source: undefined, lines: 0, spent: 0, leftOut: 0 });
  }

  #add(key: unknown, use: Use<Source>): Use<Source> {
    this.#uses.set(key, use);
    if (!this.#isTimed) {
      this.#isTimed = true;
      this.#clock.after(intervalMs, () => this.#endInterval());
    }
    return use;
  }

  #endInterval(): void {
    this.#isTimed = false;
    if (this.#options.output.isOpen) return this.#report();
    // The reports would be dropped. What was left out is kept, and reported later.
    const kept = [...this.#uses].filter(([, { leftOut }]) => leftOut > 0);
    this.#uses = new Map();
    for (const [key, use] of kept) this.#add(key, use);
  }

  #report(): void {
    const left = [...this.#uses.values()].filter(({ leftOut }) => leftOut > 0);
    this.#uses = new Map();
    for (const use of left.slice(0, maxReports)) this.#options.report(reportOf([use]));
    for (const uses of Map.groupBy(left.slice(maxReports), ({ kind }) => kind).values()) {
      this.#options.report(reportOf(uses));
    }
  }
}

function reportOf<Source>(uses: readonly Use<Source>[]): LeftOut<Source> {
  const [first] = uses as [Use<Source>];
  return {
    kind: first.kind,
    lines: uses.reduce((sum, { leftOut }) => sum + leftOut, 0),
    source: uses.length === 1 ? first.source : undefined,
    sources: uses.length,
  };
}
