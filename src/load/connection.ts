/**
 * One connection of a load test: sends, checks every reply, and times it.
 *
 * It uses the transport's connection and not the client's MessageConnection, which copies borrowed chunks and delivers
 * messages. That takes 70 ns for a message of 64 bytes. Comparing a chunk in place with what was sent (`replies/echo.ts`) takes
 * 2 ns per message, and the whole generator takes 50.
 */
import { systemError, YodelError } from '../errors.ts';
import { formatPlural } from '../format/figures.ts';
import type { Connection, Receiver } from '../transport/transport.ts';
import type { LatencyLog, LatencyRecorder, Retraction } from './latency-log.ts';
import type { Payload } from './payload.ts';
import { CountMatcher } from './replies/count.ts';
import { RingPosition } from './replies/echo.ts';
import { type LoadConnectionOptions, matcherFor } from './replies/for-connection.ts';
import type { ReplyMatcher } from './replies/matcher.ts';
import type { DueTimes } from './schedule.ts';
import { SendTimes } from './send-times.ts';
import type { Tally } from './tally.ts';

/** State that all connections of a process share, and events they report. */
export interface Traffic {
  readonly tally: Tally;
  /** Where latencies are recorded. */
  readonly latencies: LatencyRecorder;
  /** In a run with stages: the stage of a time. */
  readonly stageAt?: ((time: number) => number) | undefined;
  /** Unanswered messages of all connections. */
  inFlight: number;
  /** When the last reply arrived. */
  lastReplyAt: number;
  /** Set by every event, to distinguish work from waiting. */
  isActive: boolean;
  /** Claims messages to send after `answered` ones of the connection were. Returns the number that may be sent now. */
  claim(answered: number, now: number, connection: LoadConnection): number;
  /** Makes the connection send claimed messages soon. */
  sendSoon(connection: LoadConnection, count: number): void;
  /** Nothing is in flight. */
  settled(): void;
  /** The server has sent more messages than requests: these latencies may be those of others. */
  doubted(latencies: Retraction | undefined): void;
  /** The connection can no longer be used. @param count the number of errors */
  broken(connection: LoadConnection, error: YodelError, count?: number): void;
}

/** Lives as long as its transport's connection. */
export class LoadConnection implements Receiver {
  readonly number: number;
  readonly #connection: Connection;
  readonly #traffic: Traffic;
  readonly #payload: Payload;
  #matcher: ReplyMatcher | undefined;
  readonly #log: LatencyLog | undefined;
  readonly #learnsGreeting: boolean;
  readonly #greeted: PromiseWithResolvers<YodelError | undefined> | undefined;
  /** Observes what is sent, where replies depend on it. */
  readonly #sent: ((bytes: Uint8Array) => void) | undefined;
  /** Whether replies are as long as messages, so that more bytes than are in flight are unexpected. */
  readonly #countsBytes: boolean;
  /** If no replies are expected: the position up to which the operating system has taken the payload. */
  readonly #taken: RingPosition | undefined;
  readonly #times = new SendTimes();
  /** Index of the frame in the ring to send next. */
  #next = 0;
  #inFlight = 0;
  #bytesInFlight = 0;
  #answered = 0;
  #isGreeted = false;
  #unasked = 0;
  #hasSent = false;
  #isOver = false;
  #isRetired = false;
  readonly #serverEnded = Promise.withResolvers<void>();

  constructor(options: LoadConnectionOptions, connection: Connection, traffic: Traffic) {
    const { number, payload, replies } = options;
    this.number = number;
    this.#connection = connection;
    this.#traffic = traffic;
    this.#payload = payload;
    this.#log = options.log;
    this.#learnsGreeting = options.learnsGreeting;
    this.#countsBytes = replies !== 'count' && !(connection.framing && replies === 'echo');
    this.#matcher = matcherFor(options, connection.framing);
    if (this.#matcher instanceof CountMatcher) this.#sent = this.#matcher.sent;
    if (replies === 'none') this.#taken = new RingPosition(payload);
    if (options.greeting > 0) this.#greeted = Promise.withResolvers();
  }

  /** Starts receiving. */
  start(): void {
    this.#connection.start(this);
  }

  /**
   * Resolves when the greeting has arrived, or with the reason why it will not; the connection must be closed then. Undefined
   * if none is expected.
   */
  get greeted(): Promise<YodelError | undefined> | undefined {
    return this.#greeted?.promise;
  }

  /** Whether it can no longer be used. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends the wait for the greeting. */
  notGreeted(error: YodelError): void {
    this.#greeted?.resolve(error);
  }

  get unasked(): number {
    return this.#unasked;
  }

  /** The greeting was learned from other connections: what is missing of it will be no reply. */
  expectGreeting(count: number): void {
    if (this.#matcher instanceof CountMatcher) this.#matcher.greetingLeft = Math.max(0, count - this.#unasked);
  }

  /** The largest latency, where it is remembered. */
  get slowest(): number {
    return this.#log?.slowest ?? 0;
  }

  /** Whether nothing was sent over it. */
  get isFresh(): boolean {
    return !this.#hasSent;
  }

  /** When the oldest unanswered message was sent; Infinity when there is none. */
  get oldest(): number {
    return this.#times.oldest;
  }

  /** Bytes that the system has not taken. */
  get unsent(): number {
    return this.#connection.unsent;
  }

  /** The number of unanswered messages sent at `time` or earlier. */
  countUpTo(time: number): number {
    return this.#times.countUpTo(time);
  }

  /** Sends messages, timed from now. They are lost if the connection was lost after they were claimed. */
  send(count: number, now: number): void {
    if (this.#isOver) {
      this.#traffic.tally.sent += count;
      return;
    }
    this.#times.push(now, count);
    this.#write(count);
  }

  /**
   * Sends messages of a schedule, each timed from when it was due.
   *
   * @param first the number of the first message
   * @param step the difference between the numbers of two messages
   * @param latenessFrom lateness is recorded only for messages due from this time on, because earlier ones had no connection
   */
  sendDue(schedule: DueTimes, first: number, step: number, count: number, now: number, latenessFrom: number): void {
    const { tally, stageAt } = this.#traffic;
    const { lateness } = tally;
    for (let index = 0; index < count; index++) {
      const due = schedule.dueAt(first + index * step);
      this.#times.push(due, 1);
      if (stageAt) tally.stage(stageAt(due)).sent++;
      if (due >= latenessFrom) lateness.record(now - due);
    }
    this.#write(count);
  }

  /** Ends this side and resolves when the server has ended its side. What it still sends is read and dropped. */
  finish(): Promise<void> {
    this.#isOver = true;
    this.#connection.end();
    return this.#serverEnded.promise;
  }

  /**
   * Ends this side: the connection has served its purpose. If a reply does not say which message it answers, the connection
   * remains until the server ends its side, because another reply may show that the first one was none.
   *
   * @param listens to leave this side open for now, because many servers reply no more once it has ended
   */
  retire(listens: boolean): void {
    if (!this.#log) return this.close();
    this.#isRetired = true;
    if (!listens) this.#connection.end();
  }

  /** Its latencies, which are then forgotten here. */
  takeLatencies(): Retraction | undefined {
    return this.#log?.retractAll();
  }

  /** Closes a connection that was lost. If replies are missing, they may have been missing for some time. */
  lose(): void {
    if (this.#inFlight > 0) this.#traffic.tally.retract(this.#log?.retractUnsettled());
    this.close();
  }

  /** Closes the connection; unanswered messages stay unanswered. */
  close(): void {
    this.#isOver = true;
    this.#traffic.inFlight -= this.#inFlight;
    this.#times.clear();
    if (this.#inFlight === 0 && this.#connection.unsent === 0) this.#connection.release();
    else this.#connection.abort();
    this.#inFlight = 0;
  }

  onData(chunk: Uint8Array): void {
    const traffic = this.#traffic;
    traffic.isActive = true;
    traffic.tally.bytesReceived += chunk.length;
    const matcher = this.#matcher;
    if (this.#isOver || !matcher) return;
    if (this.#isRetired) return this.#receiveRetired(chunk, matcher);
    if (!this.#hasSent) return this.#receiveUnasked(chunk, matcher);
    const now = performance.now();
    const isExcess = this.#countsBytes && chunk.length > this.#bytesInFlight;
    const found = matcher.match(isExcess ? chunk.subarray(0, this.#bytesInFlight) : chunk);
    const done = Math.min(found, this.#inFlight);
    if (this.#countsBytes) this.#bytesInFlight -= chunk.length;
    this.#answer(done, now, matcher.failed);
    if (matcher.fault) return traffic.broken(this, matcher.fault);
    if (isExcess || found > done) return this.#receivedTooMany(Math.max(1, found - done));
    this.#sendMore(done, now);
  }

  /** Nothing has been sent, so that nothing that arrives is a reply. */
  #receiveUnasked(chunk: Uint8Array, matcher: ReplyMatcher): void {
    const isGreeting = matcher.greetingLeft > 0;
    const found = matcher.match(isGreeting || !this.#countsBytes ? chunk : chunk.subarray(0, 0));
    if (matcher.fault) return this.#fail(matcher.fault);
    if (isGreeting && matcher.greetingLeft === 0) {
      this.#isGreeted = true;
      this.#greeted?.resolve(undefined);
      if (this.#taken) this.#matcher = undefined;
    }
    if (this.#learnsGreeting && matcher.failed.length > 0) return this.#fail(this.#errorBefore());
    if (this.#learnsGreeting) {
      this.#unasked += found;
      this.#traffic.tally.unasked += found;
    } else if (found > 0 || (!isGreeting && this.#countsBytes)) this.#fail(this.#unexpected());
  }

  /** Nothing more was expected. */
  #receiveRetired(chunk: Uint8Array, matcher: ReplyMatcher): void {
    if (!this.#countsBytes && matcher.match(chunk) === 0) return;
    const error = this.#unexpected();
    this.#traffic.doubted(this.takeLatencies());
    this.#traffic.tally.fail(error.code, error.message);
    this.close();
  }

  onDrain(): void {
    this.#traffic.isActive = true;
    if (this.#taken) this.#countTaken();
  }

  onEnd(): void {
    this.#serverEnded.resolve();
    if (this.#isOver) return;
    if (this.#isRetired) return this.close();
    const text = `the server closed connection ${this.number} ${this.#soFar()}`;
    this.#fail(new YodelError('YODEL_CONNECTION_CLOSED', text));
  }

  onClose(error?: Error): void {
    this.#serverEnded.resolve();
    if (this.#isOver || this.#isRetired) return;
    this.#fail(systemError(`connection ${this.number} broke ${this.#soFar()}`, error ?? new Error('it was closed')));
  }

  /** The connection cannot be used, or not even greeted. */
  #fail(error: YodelError): void {
    if (this.#greeted && !this.#isGreeted) this.#greeted.resolve(error);
    else this.#traffic.broken(this, error);
  }

  #receivedTooMany(count: number): void {
    const error = this.#unexpected();
    this.#traffic.doubted(this.takeLatencies());
    this.#traffic.broken(this, error, count);
  }

  /** @param failed which of the replies report an error */
  #answer(done: number, now: number, failed: readonly number[] = []): void {
    if (done === 0) return;
    const traffic = this.#traffic;
    const latencies = this.#taken ? undefined : (this.#log ?? traffic.latencies);
    let next = 0;
    for (const index of failed) {
      if (index >= done) break;
      this.#times.take(index - next, now, latencies);
      this.#times.take(1, now);
      next = index + 1;
    }
    this.#times.take(done - next, now, latencies);
    if (failed.length > 0) this.#countErrors(failed.filter((index) => index < done).length);
    this.#inFlight -= done;
    if (this.#inFlight === 0) this.#log?.settle();
    this.#answered += done;
    traffic.inFlight -= done;
    traffic.tally.answered += done;
    traffic.lastReplyAt = now;
  }

  #countErrors(count: number): void {
    const { tally } = this.#traffic;
    tally.failed += count;
    const text = `connection ${this.number}: the reply reports an error: ${this.#failedText}`;
    tally.fail('YODEL_ERROR_REPLY', text, count);
  }

  get #failedText(): string {
    return (this.#matcher instanceof CountMatcher && this.#matcher.failedText) || '';
  }

  readonly #countTaken = (): void => {
    if (this.#isOver) return;
    const now = performance.now();
    const done = this.#takeMessages();
    this.#answer(done, now);
    this.#sendMore(done, now);
  };

  /** Sends as many messages as were answered, if that many are left. */
  #sendMore(done: number, now: number): void {
    const traffic = this.#traffic;
    if (done > 0) {
      const next = traffic.claim(done, now, this);
      if (next > 0) traffic.sendSoon(this, next);
    }
    if (traffic.inFlight === 0) traffic.settled();
  }

  #write(count: number): void {
    const { bytes, ends } = this.#payload;
    const traffic = this.#traffic;
    this.#hasSent = true;
    this.#inFlight += count;
    traffic.inFlight += count;
    traffic.tally.sent += count;
    for (let left = count; left > 0; ) {
      const first = this.#next;
      const last = Math.min(first + left, ends.length);
      const start = first === 0 ? 0 : (ends[first - 1] as number);
      const end = ends[last - 1] as number;
      this.#bytesInFlight += end - start;
      traffic.tally.bytesSent += end - start;
      this.#next = last === ends.length ? 0 : last;
      left -= last - first;
      const part = bytes.subarray(start, end);
      this.#sent?.(part);
      this.#connection.write(part);
    }
    // The transport does not report what it could write at once.
    if (this.#taken) setImmediate(this.#countTaken);
  }

  /** Returns the number of whole messages that the operating system has taken since the last call. */
  #takeMessages(): number {
    const taken = this.#taken as RingPosition;
    let done = 0;
    for (let left = this.#bytesInFlight - this.#connection.unsent; left > 0; ) {
      const step = Math.min(left, this.#payload.bytes.length - taken.at);
      done += taken.advance(step);
      this.#bytesInFlight -= step;
      left -= step;
    }
    return done;
  }

  #unexpected(): YodelError {
    const problem = this.#hasSent ? 'sent more replies than expected' : 'sent something before any request';
    return new YodelError(
      'YODEL_UNEXPECTED_REPLY',
      `connection ${this.number}: the server ${problem}, ${this.#soFar()}`,
    );
  }

  #errorBefore(): YodelError {
    const text = `connection ${this.number}: the server reported an error before any request: ${this.#failedText}`;
    return new YodelError('YODEL_ERROR_REPLY', text);
  }

  #soFar(): string {
    const unanswered = this.#inFlight === 0 ? '' : `, with ${formatPlural(this.#inFlight, 'message')} unanswered`;
    return `after ${formatPlural(this.#answered, 'reply', 'replies')}${unanswered}`;
  }
}
