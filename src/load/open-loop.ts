/** Sends messages when they are due, however the server fares. */
import { formatCount } from '../format/figures.ts';
import type { LoadConnection, Traffic } from './connection.ts';
import { Schedule, type ScheduleOptions } from './schedule.ts';

/** Timers of both runtimes are up to a millisecond or two late; when the next message is nearer, the loop goes round without one. */
export const timerSlackMs = 2;
/** A longer turn of the loop in which nothing happened is one in which this process did not have the core. */
const longestTurnMs = 0.1;
/** What may be under way in one process: each costs some bytes here, and the server has long been overrun. */
const mostUnderWay = 1_000_000;
/** What may wait in one connection for the operating system to take it. */
const mostUnsent = 16_777_216;

/** Deals the messages that are due to the connections in turn. */
export class OpenLoop {
  readonly #schedule: Schedule;
  readonly #total: number;
  readonly #traffic: Traffic;
  readonly #allSent: (endsAt: number) => void;
  #up: readonly LoadConnection[] = [];
  #hadConnections = false;
  #turn = 0;
  /** The message that is due next. */
  #next = 0;
  /** What was due before had to wait for a connection: that is not the generator's fault. */
  #blamedFrom = Number.NEGATIVE_INFINITY;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  #isSpinning = false;
  #lastTurn = 0;
  #waitedMs = 0;

  /**
   * @param total how many messages there are
   * @param allSent called when all of them were sent, with when the next one would be due: n messages of a rate take as
   *   long as n distances, not one less
   */
  constructor(schedule: ScheduleOptions, total: number, traffic: Traffic, allSent: (endsAt: number) => void) {
    this.#schedule = new Schedule(schedule);
    this.#total = total;
    this.#traffic = traffic;
    this.#allSent = allSent;
  }

  /** How long the loop went round with nothing to do: it costs processor time that is no sign of load. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  connectionsChanged(up: readonly LoadConnection[]): void {
    if (!this.#hadConnections && up.length > 0) this.#blamedFrom = performance.now();
    this.#hadConnections = up.length > 0;
    this.#up = up;
  }

  start(): void {
    this.#blamedFrom = Number.NEGATIVE_INFINITY;
    this.#goRound();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Sends all that are due. */
  sendDue(now: number): void {
    const { length } = this.#up;
    const due = Math.min(this.#schedule.countUpTo(now), this.#total) - this.#next;
    if (due <= 0 || length === 0) return;
    this.#traffic.isActive = true;
    const count = Math.min(due, Math.max(0, mostUnderWay - this.#traffic.underWay));
    const each = Math.floor(count / length);
    const remaining = count % length;
    for (let index = 0; index < length && index < count; index++) {
      const connection = this.#up[(this.#turn + index) % length] as LoadConnection;
      const own = each + (index < remaining ? 1 : 0);
      if (connection.unsent > mostUnsent) this.#leaveOut(own);
      else connection.sendDue(this.#schedule, this.#next + index, length, own, now, this.#blamedFrom);
    }
    this.#leaveOut(due - count);
    this.#turn = (this.#turn + count) % length;
    this.#next += due;
    if (this.#next === this.#total) this.#allSent(this.#schedule.dueAt(this.#total));
  }

  #leaveOut(count: number): void {
    if (count === 0) return;
    const text =
      `${formatCount(this.#traffic.underWay)} messages were unanswered, and more are not kept track of: those that were due ` +
      'then were not sent; the rate is more than the server or this machine can do';
    this.#traffic.tally.fail('YODEL_TOO_MANY_UNANSWERED', text, count);
  }

  readonly #goRound = (): void => {
    if (this.#isStopped) return;
    const now = performance.now();
    if (this.#isSpinning && !this.#traffic.isActive) this.#waitedMs += Math.min(now - this.#lastTurn, longestTurnMs);
    this.#traffic.isActive = false;
    this.sendDue(now);
    const wait = this.#schedule.dueAt(this.#next) - now;
    this.#isSpinning = wait <= timerSlackMs && this.#up.length > 0;
    this.#lastTurn = now;
    if (this.#isSpinning) setImmediate(this.#goRound);
    else this.#timer = setTimeout(this.#goRound, Math.max(1, wait - timerSlackMs));
  };
}
