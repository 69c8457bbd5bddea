import { formatCount } from '../format/figures.ts';
import type { LoadConnection, Traffic } from './connection.ts';
import { type DueTimes, Schedule, type ScheduleOptions } from './schedule.ts';
import { type Stage, StagedSchedule } from './stages.ts';

/** Timers of both runtimes are up to two milliseconds late. When the next message is due sooner, the loop spins instead. */
export const timerSlackMs = 2;
/** If an idle turn of the loop took longer, the operating system had given the core to another process. */
const maxTurnMs = 0.1;
/** The limit of messages in flight in one process. Each costs memory, and at this number the server is long overloaded. */
const maxInFlight = 1_000_000;
/** A connection with more unsent bytes than this gets no more messages. */
const maxUnsent = 16_777_216;

/** When messages are due, and how they are distributed. */
export interface OpenLoopOptions extends ScheduleOptions {
  /** Whether each connection carries one message and is then replaced: messages wait for a connection. */
  readonly isOneEach?: boolean | undefined;
  /** Instead of the rate. */
  readonly stages?: readonly Stage[] | undefined;
}

/** Sends messages when they are due, regardless of replies, over the connections in turn. */
export class OpenLoop {
  readonly #schedule: DueTimes;
  readonly #total: number;
  readonly #isOneEach: boolean;
  readonly #traffic: Traffic;
  readonly #allSent: (endsAt: number) => void;
  #up: readonly LoadConnection[] = [];
  #hadConnections = false;
  #firstUp = 0;
  /** Number of the next message. */
  #next = 0;
  /** Messages due earlier had to wait for a connection, so the generator did not cause their lateness. */
  #latenessFrom = Number.NEGATIVE_INFINITY;
  #isStarted = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  #isSpinning = false;
  #lastTurn = 0;
  #spunMs = 0;

  /**
   * @param total the number of messages; Infinity for no limit
   * @param allSent called when all were sent, with the time at which one more would be due, because n messages take n intervals
   */
  constructor(schedule: OpenLoopOptions, total: number, traffic: Traffic, allSent: (endsAt: number) => void) {
    this.#schedule = schedule.stages ? new StagedSchedule(schedule.stages, schedule) : new Schedule(schedule);
    this.#isOneEach = schedule.isOneEach === true;
    this.#total = total;
    this.#traffic = traffic;
    this.#allSent = allSent;
  }

  /** How long the loop has spun without work. That processor time is not load. */
  get spunMs(): number {
    return this.#spunMs;
  }

  connectionsChanged(up: readonly LoadConnection[]): void {
    if (!this.#hadConnections && up.length > 0) this.#latenessFrom = performance.now();
    this.#hadConnections = up.length > 0;
    this.#up = up;
    if (this.#isOneEach && this.#isStarted && !this.#isStopped) this.sendDue(performance.now());
  }

  start(): void {
    this.#isStarted = true;
    this.#latenessFrom = Number.NEGATIVE_INFINITY;
    this.#turn();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Sends all messages that are due. */
  sendDue(now: number): void {
    const { length } = this.#up;
    const due = Math.min(this.#schedule.countUpTo(now), this.#total) - this.#next;
    if (due <= 0 || length === 0) return;
    this.#traffic.isActive = true;
    if (this.#isOneEach) return this.#sendOneEach(due, now);
    const count = Math.min(due, Math.max(0, maxInFlight - this.#traffic.inFlight));
    const each = Math.floor(count / length);
    const remainder = count % length;
    for (let index = 0; index < length && index < count; index++) {
      const connection = this.#up[(this.#firstUp + index) % length] as LoadConnection;
      const share = each + (index < remainder ? 1 : 0);
      if (connection.unsent > maxUnsent) this.#skip(share);
      else connection.sendDue(this.#schedule, this.#next + index, length, share, now, this.#latenessFrom);
    }
    this.#skip(due - count);
    this.#firstUp = (this.#firstUp + count) % length;
    this.#next += due;
    if (this.#next === this.#total) this.#allSent(this.#schedule.dueAt(this.#total));
  }

  /** Time is up: messages that still wait for a connection are not sent. */
  dropWaiting(now: number): void {
    const waiting = Math.min(this.#schedule.countUpTo(now), this.#total) - this.#next;
    if (!this.#isOneEach || waiting <= 0) return;
    const text =
      `${formatCount(waiting)} messages were due, but no connection was free: more connections are needed (-c), or the rate is ` +
      'higher than the server or this machine can handle';
    this.#traffic.tally.fail('YODEL_TOO_MANY_UNANSWERED', text, waiting);
  }

  #sendOneEach(due: number, now: number): void {
    const fresh = this.#up.filter(({ isFresh }) => isFresh);
    const count = Math.min(due, fresh.length);
    for (let index = 0; index < count; index++) {
      fresh[index]?.sendDue(this.#schedule, this.#next + index, 1, 1, now, this.#latenessFrom);
    }
    this.#next += count;
    // The others wait for a connection, which is not the generator's fault.
    if (count < due) this.#latenessFrom = now;
    if (this.#next === this.#total) this.#allSent(this.#schedule.dueAt(this.#total));
  }

  #skip(count: number): void {
    if (count === 0) return;
    const text =
      `${formatCount(this.#traffic.inFlight)} messages were unanswered, so messages due then were not sent: ` +
      'the rate is higher than the server or this machine can handle';
    this.#traffic.tally.fail('YODEL_TOO_MANY_UNANSWERED', text, count);
  }

  readonly #turn = (): void => {
    if (this.#isStopped) return;
    const now = performance.now();
    if (this.#isSpinning && !this.#traffic.isActive) this.#spunMs += Math.min(now - this.#lastTurn, maxTurnMs);
    this.#traffic.isActive = false;
    this.sendDue(now);
    const wait = this.#schedule.dueAt(this.#next) - now;
    const isWaiting = this.#isOneEach && wait < 0;
    this.#isSpinning = wait <= timerSlackMs && this.#up.length > 0 && !isWaiting;
    this.#lastTurn = now;
    if (this.#isSpinning) setImmediate(this.#turn);
    else this.#timer = setTimeout(this.#turn, Math.max(1, wait - timerSlackMs));
  };
}
