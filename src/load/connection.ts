/** One connection of a load test: sends, holds what comes back against what was sent, and times it. */

import { systemError, YodelError } from '../errors.ts';
import { formatPlural } from '../format/figures.ts';
import type { Framing } from '../framing/framing.ts';
import type { Connection, Receiver } from '../transport/transport.ts';
import type { Payload } from './payload.ts';
import type { Replies } from './plan.ts';
import {
  CountMatcher,
  countedMessages,
  EchoedMessages,
  EchoMatcher,
  type ReplyMatcher,
  RingPosition,
} from './replies.ts';
import type { Schedule } from './schedule.ts';
import { SendTimes } from './send-times.ts';
import type { Tally } from './tally.ts';

/** What all connections of a process share. */
export interface Traffic {
  readonly tally: Tally;
  /** Messages of all connections that were sent and not answered. */
  underWay: number;
  /** When the last reply came. */
  lastReplyAt: number;
  /** Set whenever something happens, so that it can be told from waiting. */
  isActive: boolean;
  /** How many of so many messages may be sent now, in place of as many that were answered. */
  claim(wanted: number, now: number): number;
  /** Arranges that the connection sends claimed messages. */
  sendSoon(connection: LoadConnection, count: number): void;
  /** Told when nothing is under way any more. */
  settled(): void;
  /** Told when the connection cannot be used any more. */
  broken(connection: LoadConnection, error: YodelError): void;
}

/** What a connection sends, and what it awaits. */
export interface LoadConnectionOptions {
  /** Counted from 1 over all processes. */
  readonly number: number;
  readonly payload: Payload;
  readonly framing: Framing;
  readonly replies: Replies;
}

/** Lives as long as its transport's connection. */
export class LoadConnection implements Receiver {
  readonly number: number;
  readonly #connection: Connection;
  readonly #traffic: Traffic;
  readonly #payload: Payload;
  readonly #matcher: ReplyMatcher | undefined;
  /** Where echoed bytes come from: more than are under way nobody has asked for. */
  readonly #countsBytes: boolean;
  /** With no replies awaited: how far the operating system has taken what was sent. */
  readonly #taken: RingPosition | undefined;
  readonly #times = new SendTimes();
  /** The frame of the ring that is sent next. */
  #next = 0;
  #underWay = 0;
  #bytesUnderWay = 0;
  #answered = 0;
  #isOver = false;
  readonly #parted = Promise.withResolvers<void>();

  constructor({ number, payload, framing, replies }: LoadConnectionOptions, connection: Connection, traffic: Traffic) {
    this.number = number;
    this.#connection = connection;
    this.#traffic = traffic;
    this.#payload = payload;
    const whole = connection.carriesMessages;
    this.#countsBytes = replies !== 'count' && !whole;
    if (replies === 'echo') this.#matcher = new (whole ? EchoedMessages : EchoMatcher)(payload, number);
    else if (replies === 'count') this.#matcher = whole ? countedMessages : new CountMatcher(framing);
    else this.#taken = new RingPosition(payload);
  }

  /** Begins to receive. */
  start(): void {
    this.#connection.start(this);
  }

  /** When the oldest message was sent that is unanswered; Infinity when there is none. */
  get oldest(): number {
    return this.#times.oldest;
  }

  /** Bytes that the operating system has not taken. */
  get unsent(): number {
    return this.#connection.unsent;
  }

  /** How many unanswered messages were sent at `time` or before. */
  countUpTo(time: number): number {
    return this.#times.countUpTo(time);
  }

  /** Sends messages that are timed from now. When the connection was lost meanwhile, they are lost with it. */
  send(count: number, now: number): void {
    if (this.#isOver) {
      this.#traffic.tally.sent += count;
      return;
    }
    this.#times.push(now, count);
    this.#write(count);
  }

  /**
   * Sends messages of a schedule, which are timed from when each was due.
   *
   * @param first the number of the first one
   * @param step how many numbers lie between two of them
   * @param blamedFrom the lateness of what was due before is not the generator's
   */
  sendDue(schedule: Schedule, first: number, step: number, count: number, now: number, blamedFrom: number): void {
    const { lateness } = this.#traffic.tally;
    for (let index = 0; index < count; index++) {
      const due = schedule.dueAt(first + index * step);
      this.#times.push(due, 1);
      if (due >= blamedFrom) lateness.record(now - due);
    }
    this.#write(count);
  }

  /** Ends this side, and resolves when the server has ended its own. What it still sends is read, and forgotten. */
  part(): Promise<void> {
    this.#isOver = true;
    this.#connection.end();
    return this.#parted.promise;
  }

  /** Lets go of the connection; what is unanswered stays so. */
  close(): void {
    this.#isOver = true;
    this.#traffic.underWay -= this.#underWay;
    this.#times.clear();
    if (this.#underWay === 0 && this.#connection.unsent === 0) this.#connection.release();
    else this.#connection.abort();
    this.#underWay = 0;
  }

  onData(chunk: Uint8Array): void {
    const traffic = this.#traffic;
    traffic.isActive = true;
    traffic.tally.bytesReceived += chunk.length;
    const matcher = this.#matcher;
    if (this.#isOver || !matcher) return;
    if (this.#connection.carriesMessages && this.#underWay === 0) return traffic.broken(this, this.#unexpected());
    const now = performance.now();
    const isTooMuch = this.#countsBytes && chunk.length > this.#bytesUnderWay;
    const found = matcher.match(isTooMuch ? chunk.subarray(0, this.#bytesUnderWay) : chunk);
    const done = Math.min(found, this.#underWay);
    if (this.#countsBytes) this.#bytesUnderWay -= chunk.length;
    this.#answer(done, now);
    if (matcher.fault) return traffic.broken(this, matcher.fault);
    if (isTooMuch || found > done) return traffic.broken(this, this.#unexpected());
    this.#goOn(done, now);
  }

  onDrain(): void {
    this.#traffic.isActive = true;
    if (this.#taken) this.#goOnWithoutReplies();
  }

  onEnd(): void {
    this.#parted.resolve();
    if (this.#isOver) return;
    this.#traffic.broken(
      this,
      new YodelError('YODEL_CONNECTION_CLOSED', `the server closed connection ${this.number} ${this.#soFar()}`),
    );
  }

  onClose(error?: Error): void {
    this.#parted.resolve();
    if (this.#isOver) return;
    const broken = systemError(`connection ${this.number} broke ${this.#soFar()}`, error ?? new Error('it was closed'));
    this.#traffic.broken(this, broken);
  }

  #answer(done: number, now: number): void {
    if (done === 0) return;
    const traffic = this.#traffic;
    this.#times.take(done, now, this.#taken ? undefined : traffic.tally.latency);
    this.#underWay -= done;
    this.#answered += done;
    traffic.underWay -= done;
    traffic.tally.answered += done;
    traffic.lastReplyAt = now;
  }

  readonly #goOnWithoutReplies = (): void => {
    if (this.#isOver) return;
    const now = performance.now();
    const done = this.#takeSent();
    this.#answer(done, now);
    this.#goOn(done, now);
  };

  /** Sends as many messages as were answered. */
  #goOn(done: number, now: number): void {
    const traffic = this.#traffic;
    if (done > 0) {
      const next = traffic.claim(done, now);
      if (next > 0) traffic.sendSoon(this, next);
    }
    if (traffic.underWay === 0) traffic.settled();
  }

  #write(count: number): void {
    const { bytes, ends } = this.#payload;
    const traffic = this.#traffic;
    this.#underWay += count;
    traffic.underWay += count;
    traffic.tally.sent += count;
    for (let left = count; left > 0; ) {
      const first = this.#next;
      const last = Math.min(first + left, ends.length);
      const start = first === 0 ? 0 : (ends[first - 1] as number);
      const end = ends[last - 1] as number;
      this.#bytesUnderWay += end - start;
      traffic.tally.bytesSent += end - start;
      this.#next = last === ends.length ? 0 : last;
      left -= last - first;
      if (this.#connection.carriesMessages) this.#writeEach(first, last);
      else this.#connection.write(bytes.subarray(start, end));
    }
    // What did not have to wait is not told of.
    if (this.#taken) setImmediate(this.#goOnWithoutReplies);
  }

  #writeEach(first: number, last: number): void {
    const { bytes, ends } = this.#payload;
    for (let frame = first; frame < last; frame++) {
      this.#connection.write(bytes.subarray(frame === 0 ? 0 : (ends[frame - 1] as number), ends[frame]));
    }
  }

  /** How many messages the operating system has taken whole since it was last asked. */
  #takeSent(): number {
    const taken = this.#taken as RingPosition;
    // Around messages a transport may have bytes of its own under way: only that none is says something.
    if (this.#connection.carriesMessages) return this.#connection.unsent === 0 ? this.#underWay : 0;
    let done = 0;
    for (let left = this.#bytesUnderWay - this.#connection.unsent; left > 0; ) {
      const step = Math.min(left, this.#payload.bytes.length - taken.at);
      done += taken.advance(step);
      this.#bytesUnderWay -= step;
      left -= step;
    }
    return done;
  }

  #unexpected(): YodelError {
    const text = `connection ${this.number}: the server sent more than was asked for, ${this.#soFar()}`;
    return new YodelError('YODEL_UNEXPECTED_REPLY', text);
  }

  #soFar(): string {
    const unanswered = this.#underWay === 0 ? '' : `, with ${formatPlural(this.#underWay, 'message')} unanswered`;
    return `after ${formatPlural(this.#answered, 'reply', 'replies')}${unanswered}`;
  }
}
