/**
 * The requests of one end of a connection: which of them wait for a reply, and which message is the reply to which. Pure bookkeeping,
 * for clients and sessions.
 */
import type { Clock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import { ById } from './by-ids.ts';
import { ByCheckedOrder, ByOrder } from './by-order.ts';
import type { Correlate } from './correlation.ts';
import { RequestDeadlines } from './deadlines.ts';
import type { Matching } from './matching.ts';
import { Pending } from './pending.ts';

/** What sends the requests. */
export interface RequestLink<Out> {
  /** The other end, for error texts: `tcp://127.0.0.1:7878`. */
  readonly peerName: string;
  /**
   * Sends a request. Returns where its frame begins in all the bytes that were sent.
   *
   * @throws whatever prevents that; the request is rejected with it
   */
  sendRequest(value: Out): number;
  /** Whether the byte at this position has left this process, or may have. Only the correlation by default asks. */
  hasLeft(position: number): boolean;
}

/** Counts of requests, since the first connection. */
export interface RequestCounters {
  /** Requests that were sent. */
  requests: number;
  /** Requests that were answered. */
  replies: number;
  /** Requests that timed out. */
  requestTimeouts: number;
  /** Requests that were cancelled by their signal. */
  cancelledRequests: number;
  /** Replies that arrived after their request had timed out or was cancelled. They are dropped. */
  lateReplies: number;
}

/** How requests are kept. */
export interface RequestSettings<Out> {
  readonly clock: Clock;
  /** Undefined: by order, with the checks of a client ({@link ByCheckedOrder}). */
  // biome-ignore lint/suspicious/noExplicitAny: the values are whatever the codec makes of them
  readonly correlate: Correlate<any> | undefined;
  /** Requests in flight at the same time. By order, those that timed out or were cancelled count as well. 0: no limit. */
  readonly maxInFlight: number;
  readonly link: RequestLink<Out>;
}

/**
 * See the top of the file.
 *
 * @typeParam In what this end receives: messages, or the values of a codec
 * @typeParam Out what it sends
 */
export class Requests<In, Out> {
  readonly counters: RequestCounters = {
    requests: 0,
    replies: 0,
    requestTimeouts: 0,
    cancelledRequests: 0,
    lateReplies: 0,
  };
  readonly #link: RequestLink<Out>;
  readonly #maxInFlight: number;
  readonly #matching: Matching<In, Out>;
  readonly #deadlines: RequestDeadlines<In>;
  #inFlight = 0;

  constructor({ clock, correlate, maxInFlight, link }: RequestSettings<Out>) {
    this.#link = link;
    this.#maxInFlight = maxInFlight;
    if (correlate === undefined) this.#matching = new ByCheckedOrder((position) => link.hasLeft(position));
    else this.#matching = correlate === 'order' ? new ByOrder() : new ById(correlate);
    this.#deadlines = new RequestDeadlines(clock, (pending) => this.#expired(pending));
  }

  /** Requests that are not settled. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests that count for the limit of requests in flight. */
  get counting(): number {
    return this.#matching.size;
  }

  /** Requests whose reply may still arrive, including those that timed out or were cancelled. */
  get unanswered(): number {
    return this.#matching.known;
  }

  /**
   * Sends a request and resolves with its reply.
   *
   * @param timeoutMs 0 for no limit
   * @throws YodelError `YODEL_INVALID_REQUEST_ID`, `YODEL_REPLY_MISMATCH`, `YODEL_TOO_MANY_REQUESTS`, then it was not sent;
   *   `YODEL_REQUEST_TIMEOUT`; the signal's reason; what {@link RequestLink.sendRequest} throws, and {@link fail} is given
   */
  request(value: Out, timeoutMs: number, signal: AbortSignal | undefined): Promise<In> {
    // Not async: each async function between a request and its reply costs two promises and a turn.
    try {
      return this.#send(value, timeoutMs, signal).reply;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #send(value: Out, timeoutMs: number, signal: AbortSignal | undefined): Pending<In> {
    signal?.throwIfAborted();
    this.#refuse();
    const id = this.#matching.admit(value);
    const position = this.#link.sendRequest(value);
    const pending = new Pending<In>({ id, position, timeoutMs, deadline: this.#deadlines.after(timeoutMs) });
    this.counters.requests++;
    this.#inFlight++;
    this.#matching.add(pending);
    this.#deadlines.add(pending);
    if (signal) pending.cancelBy(signal, () => this.#cancelled(pending, signal));
    if (signal?.aborted) this.#cancelled(pending, signal);
    return pending;
  }

  /** A message that is no request was sent. */
  sent(): void {
    this.#matching.sent();
  }

  /**
   * A message arrived. Returns whether it was a reply, in time or late; false: it is an ordinary message.
   *
   * @throws YodelError `YODEL_CORRELATION_FAILED` the program's `replyId` threw
   */
  take(value: In): boolean {
    const pending = this.#matching.take(value);
    if (!pending) return this.#isNoReply();
    if (pending.isSettled) this.counters.lateReplies++;
    else {
      this.#settled(pending);
      this.counters.replies++;
      pending.resolve(value);
    }
    return true;
  }

  /** As {@link take}, for a message that the codec refuses: by order, it rejects its request. By ids it belongs to none. */
  takeInvalid(error: YodelError): boolean {
    const pending = this.#matching.takeUnreadable();
    if (!pending) return this.#isNoReply();
    if (pending.isSettled) this.counters.lateReplies++;
    else {
      this.#settled(pending);
      pending.reject(error);
    }
    return true;
  }

  /** The connection is gone: rejects all requests. What follows belongs to the next connection. */
  fail(error: YodelError): void {
    this.#rejectAll(error);
    this.#matching.reset();
  }

  #refuse(): void {
    const { refusal, size } = this.#matching;
    if (refusal) throw new YodelError(refusal.code, `the request was not sent: ${this.#link.peerName} ${refusal.text}`);
    if (this.#maxInFlight > 0 && size >= this.#maxInFlight) {
      throw new YodelError(
        'YODEL_TOO_MANY_REQUESTS',
        `the request was not sent: ${size} requests to ${this.#link.peerName} have no reply yet (maxRequestsInFlight)`,
      );
    }
  }

  /** False. The message may have shown that requests which have not left this process could not be matched. */
  #isNoReply(): false {
    const { refusal } = this.#matching;
    if (refusal && this.#matching.known > 0) {
      const error = new YodelError(refusal.code, `${this.#link.peerName} ${refusal.text}`);
      this.#rejectAll(error);
    }
    return false;
  }

  #rejectAll(error: YodelError): void {
    this.#deadlines.clear();
    this.#inFlight = 0;
    for (const pending of this.#matching.takeAll()) if (!pending.isSettled) pending.reject(error);
  }

  #expired(pending: Pending<In>): void {
    this.counters.requestTimeouts++;
    this.#abandon(pending, new YodelError('YODEL_REQUEST_TIMEOUT', 'no reply within the time limit (requestTimeout)'));
  }

  #cancelled(pending: Pending<In>, signal: AbortSignal): void {
    if (pending.isSettled) return;
    this.counters.cancelledRequests++;
    this.#abandon(pending, signal.reason);
  }

  #abandon(pending: Pending<In>, error: unknown): void {
    this.#settled(pending);
    this.#matching.abandon(pending);
    pending.reject(error);
  }

  #settled(pending: Pending<In>): void {
    this.#inFlight--;
    this.#deadlines.delete(pending);
  }
}
