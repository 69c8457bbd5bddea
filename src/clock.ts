/**
 * The clock of sessions, clients and handshakes, which tests can replace.
 *
 * A process may stand still: it was stopped, the computer slept, a handler blocked the event loop. What peers sent meanwhile
 * is in the kernel, unread, when the first timer fires. So a time-out is judged fairly only if
 *
 * - everything that has arrived is delivered first, and
 * - the time in which the process could not run does not count: a peer whose turn depends on this process could do nothing.
 *
 * {@link Clock.deadline} and {@link Clock.ran} do both, for every time-out.
 */
import { type Linked, LinkedSet } from './linked-set.ts';

/**
 * A clock: real time, or a fake in tests, which `fakeClock()` of `yodel/testing` creates. Programs need none of their own: the contract
 * may grow.
 */
export interface Clock {
  /** Monotonic time in milliseconds; not the time of day. For durations and rates. */
  now(): number;
  /** The part of that time in which the process ran: without its stalls. For deadlines. */
  ran(): number;
  /** The length of a stall that has just ended, in milliseconds: rates allow for what arrived meanwhile. 0: there was none. */
  stalled(): number;
  /** Calls `run` once after `delayMs`. For pauses. */
  after(delayMs: number, run: () => void): Timer;
  /**
   * Calls `run` once when the process has run for `delayMs`, and after all input that is pending then has been delivered. For
   * time-outs.
   */
  deadline(delayMs: number, run: () => void): Timer;
  /** Calls `run` once, after the I/O that is ready now has been delivered. */
  soon(run: () => void): void;
}

/** A timer that has not fired yet. */
export interface Timer {
  cancel(): void;
}

/** The real time. */
export const realClock: Clock = {
  now: () => performance.now(),
  ran,
  stalled: () => (ran() < stallEnd + allowanceMs ? lastStall : 0),
  after: (delayMs, run) => new RealTimer(delayMs, run),
  deadline: (delayMs, run) => new RealDeadline(delayMs, run),
  soon: (run) => void setImmediate(run),
};

/**
 * For this long, a new timer is only an entry in a list. A connection that is closed, or a request that is answered,
 * within this time never needs a timer of the runtime: creating and clearing one costs Node 1 us and 1 KB of garbage, a
 * seventh of all that a short connection allocates.
 */
const deferMs = 250;

/** Timers set less than `deferMs` ago, the oldest first. */
const deferred = new LinkedSet<RealTimer>();
/** Sweeps `deferred`. It keeps the process alive only while there are deferred timers. */
let sweeper: ReturnType<typeof setTimeout> | undefined;

class RealTimer implements Timer, Linked<RealTimer> {
  memberOf: object | undefined;
  previousMember: RealTimer | undefined;
  nextMember: RealTimer | undefined;
  readonly setAt: number;
  protected delayMs: number;
  protected readonly run: () => void;
  #timeout: ReturnType<typeof setTimeout> | undefined;

  constructor(delayMs: number, run: () => void) {
    this.setAt = performance.now();
    this.delayMs = delayMs;
    this.run = run;
    if (delayMs < 2 * deferMs) this.setRuntimeTimer(delayMs);
    else defer(this);
  }

  /** When it is due, on the runtime's clock. */
  get dueAt(): number {
    return this.setAt + this.delayMs;
  }

  cancel(): void {
    if (this.#timeout) clearTimeout(this.#timeout);
    else if (deferred.delete(this) && deferred.size === 0) sweeper?.unref();
  }

  setRuntimeTimer(delayMs: number): void {
    this.#timeout = setTimeout(fire, delayMs, this);
  }

  /** The runtime's timer has fired. */
  fired(): void {
    this.#timeout = undefined;
    this.run();
  }
}

function fire(timer: RealTimer): void {
  timer.fired();
}

function defer(timer: RealTimer): void {
  deferred.add(timer);
  if (!sweeper) sweeper = setTimeout(sweep, deferMs);
  else if (deferred.size === 1) sweeper.ref();
}

function sweep(): void {
  const now = performance.now();
  const before = now - deferMs;
  for (let timer = deferred.first; timer && timer.setAt <= before; timer = deferred.first) {
    deferred.delete(timer);
    timer.setRuntimeTimer(Math.max(1, Math.ceil(timer.dueAt - now)));
  }
  sweeper = deferred.size === 0 ? undefined : setTimeout(sweep, deferMs);
}

/**
 * While there are deadlines, a timer fires this often. A beat that comes `stallMs` or more after the one before it shows that
 * the process did not run in between.
 */
const beatMs = 500;
const stallMs = 1000;
/** For this long after a stall, rates allow for what arrived during it: it is read within milliseconds. */
const allowanceMs = 1000;

let beat: ReturnType<typeof setInterval> | undefined;
/** When the process was last known to run. Infinity: nothing keeps track of it. */
let ranAt = Number.POSITIVE_INFINITY;
/** The length of all stalls. */
let lostMs = 0;
let lastStall = 0;
/** When the last stall ended, in the time of {@link ran}. */
let stallEnd = Number.NEGATIVE_INFINITY;
/** Deadlines that are neither over nor cancelled. */
let deadlines = 0;

function ran(): number {
  const now = performance.now();
  const gap = now - ranAt;
  if (gap >= stallMs) {
    ranAt = now;
    lastStall = gap - beatMs;
    lostMs += lastStall;
    stallEnd = now - lostMs;
  }
  return now - lostMs;
}

function keepTrack(): void {
  if (beat) return;
  ranAt = performance.now();
  beat = setInterval(() => {
    ran();
    ranAt = performance.now();
    if (deadlines > 0) return;
    clearInterval(beat);
    beat = undefined;
    ranAt = Number.POSITIVE_INFINITY;
  }, beatMs);
  beat.unref();
}

/** A timer that is later than this has waited for something: the process did not run, or had much to do. */
const lateMs = 20;
/**
 * The turns of the event loop before a deadline is judged. Node delivers what is ready in the first one, Bun in the second.
 * One turn reads up to 2 MiB of each connection, and events of up to 48 Ki (Node); so a late timer waits for more turns, which
 * take only microseconds if nothing is pending.
 */
const turns = 3;
const turnsIfLate = 64;

/** Deadlines that wait for pending input to be delivered. */
const waiting = new Set<RealDeadline>();
let isJudging = false;
const over = -1;

class RealDeadline extends RealTimer {
  /** `lostMs` when the runtime's timer was set. */
  #lostBefore: number;
  /** While it waits for pending input: the turns of the event loop that are left. `over` once it has fired or is cancelled. */
  #turns = 0;

  constructor(delayMs: number, run: () => void) {
    super(delayMs, run);
    deadlines++;
    keepTrack();
    ran();
    this.#lostBefore = lostMs;
  }

  override cancel(): void {
    if (this.#turns > 0) waiting.delete(this);
    else super.cancel();
    this.#end();
  }

  override fired(): void {
    ran();
    const lost = lostMs - this.#lostBefore;
    if (lost > 0) {
      this.#lostBefore = lostMs;
      this.delayMs += lost;
      this.setRuntimeTimer(Math.max(1, Math.ceil(this.dueAt - performance.now())));
      return;
    }
    this.#turns = performance.now() - this.dueAt > lateMs ? turnsIfLate : turns;
    waiting.add(this);
    if (!isJudging) setImmediate(judge);
    isJudging = true;
  }

  /** One more turn of the event loop has delivered input. */
  turn(): void {
    this.#turns--;
    if (this.#turns > 0) return;
    waiting.delete(this);
    this.#end();
    this.run();
  }

  #end(): void {
    if (this.#turns === over) return;
    this.#turns = over;
    deadlines--;
  }
}

/** One turn of the event loop for the deadlines that wait. */
function judge(): void {
  isJudging = waiting.size > 0;
  if (isJudging) setImmediate(judge);
  // One may cancel another.
  for (const deadline of [...waiting]) if (waiting.has(deadline)) deadline.turn();
}
