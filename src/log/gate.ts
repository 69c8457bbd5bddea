/**
 * Decides before a line is formatted whether it will be logged, and counts what is not: at the end of each second one line
 * reports it for each source.
 */
import { type Linked, LinkedSet } from '../linked-set.ts';
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
  | 'bus'
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

/** The use of a source of one gate. */
class GateUse<Source> implements Use<Source>, Linked<GateUse<Source>> {
  memberOf: object | undefined;
  previousMember: GateUse<Source> | undefined;
  nextMember: GateUse<Source> | undefined;
  readonly kind: LineKind;
  readonly source: Source | undefined;
  lines = 0;
  spent = 0;
  leftOut = 0;

  constructor(kind: LineKind, source: Source | undefined) {
    this.kind = kind;
    this.source = source;
  }
}

type UserOf<Source> = Record<symbol, GateUse<Source> | undefined>;

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
  /** All uses in this interval. */
  readonly #uses = new LinkedSet<GateUse<Source>>();
  readonly #byName = new Map<string, GateUse<Source>>();
  /**
   * Where an object keeps its use. A map of short sessions, weak or not, would keep the garbage collector of Node from freeing
   * them early: each scavenge then copies megabytes, which takes up to 9 ms (see {@link LinkedSet}).
   */
  readonly #useOf = Symbol('use');
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
    const known = this.#known(key);
    if (known) return known;
    if (typeof key === 'string' && this.#uses.size >= maxNames) return this.#shared(kind);
    const use = new GateUse(kind, source);
    if (typeof key === 'string') this.#byName.set(key, use);
    else (key as UserOf<Source>)[this.#useOf] = use;
    return this.#add(use);
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
    const use = this.#known(key);
    if (!use) return;
    this.#uses.delete(use);
    if (typeof key === 'string') this.#byName.delete(key);
    if (use.leftOut === 0) return;
    if (isReported && this.#options.output.isOpen) return this.#options.report(reportOf([use]));
    if (this.#uses.size >= maxNames) this.#shared(use.kind).leftOut += use.leftOut;
    else {
      const { kind, lines, spent, leftOut } = use;
      this.#add(Object.assign(new GateUse(kind, name), { lines, spent, leftOut }));
    }
  }

  /** Reports everything that was left out, even if the output takes no lines now. */
  close(): void {
    this.#report();
  }

  /** The use of a source in this interval. */
  #known(key: object | string): GateUse<Source> | undefined {
    if (typeof key === 'string') return this.#byName.get(key);
    const use = (key as UserOf<Source>)[this.#useOf];
    return use && this.#uses.has(use) ? use : undefined;
  }

  /** Names beyond the limit. */
  #shared(kind: LineKind): GateUse<Source> {
    const key = `${kind} of others`;
    const known = this.#byName.get(key);
    if (known) return known;
    const use = new GateUse<Source>(kind, undefined);
    this.#byName.set(key, use);
    return this.#add(use);
  }

  #add(use: GateUse<Source>): GateUse<Source> {
    this.#uses.add(use);
    this.#startTimer();
    return use;
  }

  #startTimer(): void {
    if (this.#isTimed || this.#uses.size === 0) return;
    this.#isTimed = true;
    this.#clock.after(intervalMs, () => this.#endInterval());
  }

  #endInterval(): void {
    this.#isTimed = false;
    if (this.#options.output.isOpen) return this.#report();
    // The reports would be dropped. What was left out is kept, and reported later.
    for (const use of this.#uses) if (use.leftOut === 0) this.#uses.delete(use);
    for (const [name, use] of this.#byName) if (!this.#uses.has(use)) this.#byName.delete(name);
    this.#startTimer();
  }

  #report(): void {
    const left = [...this.#uses].filter(({ leftOut }) => leftOut > 0);
    // Each for itself: what is linked would keep the sources of all others.
    for (const use of this.#uses) this.#uses.delete(use);
    this.#byName.clear();
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
