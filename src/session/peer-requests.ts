/**
 * The requests that a session sends to its peer. Created with the first one.
 *
 * Replies are looked for in what has arrived, before the handler gets it, also while the handler is busy:
 *
 * ```
 * by order   admit -> the oldest request; without requests -> handler
 * by ids     admit -> the request with that id, or read ahead -> handler
 * ```
 */
import { encodeValue } from '../codec/values.ts';
import type { YodelError } from '../errors.ts';
import type { Batch, Message } from '../framing/message.ts';
import { checkRequestOptions, type RequestOptions } from '../requests/request-options.ts';
import { Requests } from '../requests/requests.ts';
import type { SessionView } from '../telemetry/telemetry.ts';
import type { Fault } from './fault.ts';
import type { Inbound } from './inbound.ts';
import type { Outbox } from './outbox.ts';
import { MessageList } from './requests/message-list.ts';
import { hasMessages } from './requests/read-ahead.ts';
import { inputFault, requestEnd } from './requests/request-end.ts';
import type { Runner } from './runner.ts';
import type { SessionSettings } from './settings.ts';
import { isSliceOver } from './time-slice.ts';
import { decodeEarly } from './values/decoded.ts';

/** The session, as its requests see it. */
export interface RequestingSession extends SessionView {
  turnSoon(): void;
  /** A function of the program that finds ids threw. */
  correlationFailed(error: unknown): void;
  /** No request is pending any more. @param since when the first of them was sent, in the time of {@link Clock.ran} */
  requestsSettled(since: number): void;
}

/** The parts of the session that requests use. */
export interface RequestParts {
  readonly inbound: Inbound;
  readonly runner: Runner;
  readonly outbox: Outbox;
}

/** What a request costs until it is answered. */
const requestCost = 512;

/** See the top of the file. */
export class PeerRequests {
  readonly #session: RequestingSession;
  readonly #inbound: Inbound;
  readonly #runner: Runner;
  readonly #outbox: Outbox;
  readonly #settings: SessionSettings;
  readonly #requests: Requests<unknown, unknown>;
  readonly #isByOrder: boolean;
  /** Since when requests are pending, in the time of {@link Clock.ran}; undefined: none is. */
  #since: number | undefined;

  constructor(session: RequestingSession, { inbound, runner, outbox }: RequestParts, settings: SessionSettings) {
    const { clock, limits, correlate = 'order' } = settings;
    this.#session = session;
    this.#inbound = inbound;
    this.#runner = runner;
    this.#outbox = outbox;
    this.#settings = settings;
    this.#isByOrder = correlate === 'order';
    const link = {
      peerName: String(session.peer),
      sendRequest: (value: unknown) => this.#send(value),
      hasLeft: () => true,
    };
    this.#requests = new Requests({ clock, correlate, maxInFlight: limits.maxRequestsInFlight, link });
  }

  /** Whether requests are pending. */
  get arePending(): boolean {
    return this.#since !== undefined;
  }

  /** Bytes of memory that requests without a reply cost. */
  get memory(): number {
    return this.#requests.unanswered * requestCost;
  }

  /** See `Session.request`. */
  async request(value: unknown, options: RequestOptions): Promise<unknown> {
    checkRequestOptions(options);
    const { timeoutMs, signal } = options;
    const { clock, limits } = this.#settings;
    const before = this.#requests.inFlight;
    const reply = this.#requests.request(value, timeoutMs ?? limits.requestTimeout, signal);
    if (this.#requests.inFlight > before) {
      this.#since ??= clock.ran();
      reply.then(this.#settled, this.#settled);
      // What the handler has not received yet may be the reply.
      const rest = this.#isByOrder ? this.#runner.giveBack() : undefined;
      if (rest) this.#inbound.ahead.putBack(rest);
      this.#session.turnSoon();
    }
    return reply;
  }

  /** Passes what has arrived to the requests that wait for it. Returns whether there were messages for them. */
  takeReplies(): boolean {
    const { unanswered } = this.#requests;
    if (unanswered > 0) {
      try {
        if (this.#isByOrder) this.#takeInOrder();
        else this.#lookAhead();
      } catch (thrown) {
        this.#session.correlationFailed(thrown);
      }
    }
    if (this.#requests.unanswered === 0) this.#stopLooking();
    return this.#requests.unanswered < unanswered;
  }

  /** No further message arrives: rejects all requests. */
  end(error: YodelError | undefined): void {
    // Also without requests: their timer may be left.
    this.#requests.fail(requestEnd(this.#session, error));
  }

  readonly #settled = (): void => {
    if (this.#since === undefined || this.#requests.inFlight > 0) return;
    const since = this.#since;
    this.#since = undefined;
    this.#session.requestsSettled(since);
  };

  #send(value: unknown): number {
    const { codec } = this.#settings;
    const message = codec ? encodeValue(codec, value) : value;
    const error = this.#outbox.send(message as Message, undefined);
    if (error) throw error;
    return 0;
  }

  /** The next messages are the replies to the oldest requests. */
  #takeInOrder(): void {
    const { ahead } = this.#inbound;
    while (this.#requests.unanswered > 0) {
      if (!ahead.first) {
        const admitted = this.#inbound.admit();
        if (!admitted) return;
        ahead.push(admitted);
      }
      const { first } = ahead;
      if (first && !hasMessages(first)) this.#takeFault(first);
      else {
        const message = ahead.shiftMessage();
        if (!message) return;
        this.#take(message);
      }
    }
  }

  /** A message that was discarded is in the place of a reply. After any other fault nothing can be received. */
  #takeFault(fault: Fault): void {
    const { ahead } = this.#inbound;
    const { error, effect, messages } = fault;
    if (effect !== 'discard') return this.end(inputFault(this.#session, error));
    const { telemetry } = this.#settings;
    ahead.shift();
    const taken = Math.min(messages, this.#requests.unanswered);
    for (let count = 0; count < taken; count++) {
      telemetry.countError(error);
      this.#requests.takeInvalid(error);
    }
    if (telemetry.watched) telemetry.emit('discarded', this.#session, error);
    if (taken < messages) ahead.putBack({ ...fault, messages: messages - taken });
  }

  /** Takes the replies out of what has arrived. */
  #lookAhead(): void {
    const { ahead } = this.#inbound;
    while (this.#requests.unanswered > 0) {
      const admitted = ahead.takeUnseen() ?? this.#inbound.admit();
      if (!admitted) return;
      if (!hasMessages(admitted)) {
        ahead.push(admitted);
        if (admitted.effect !== 'discard') this.end(inputFault(this.#session, admitted.error));
      } else if (admitted instanceof MessageList) ahead.push(admitted);
      else if (this.#settings.handler.batch) this.#lookInto(admitted);
      else if (!this.#lookThrough(admitted)) return this.#session.turnSoon();
    }
  }

  /** Takes replies out of the messages. Returns false if it is the turn of other sessions. */
  #lookThrough(batch: Batch): boolean {
    const { clock } = this.#settings;
    const others: Message[] = [];
    batch.endBorrow();
    let isOver = false;
    try {
      while (this.#requests.unanswered > 0 && batch.count > 0 && !isOver) {
        const message = batch.shift() as Message;
        if (!this.#take(message)) others.push(message);
        isOver = isSliceOver(clock);
      }
    } finally {
      const { ahead } = this.#inbound;
      if (others.length > 0) ahead.push(new MessageList(others, batch.memory));
      if (batch.count > 0) ahead.setUnseen(batch);
    }
    return batch.count === 0 || !isOver;
  }

  /** The same for a handler that gets batches: what is between replies remains a batch. */
  #lookInto(batch: Batch): void {
    batch.endBorrow();
    const areReplies = Array.from(batch, (message) => this.#take(message.kept()));
    const { ahead } = this.#inbound;
    const { memory } = batch;
    for (let index = 0; index < areReplies.length; ) {
      const next = areReplies.indexOf(true, index);
      const end = next === -1 ? areReplies.length : next;
      if (end > index) ahead.push(Object.assign(batch.take(end - index), { memory }));
      if (next !== -1) batch.shift();
      index = end + 1;
    }
  }

  /** Whether the message is a reply. */
  #take(message: Message): boolean {
    const { codec } = this.#settings;
    if (!codec) return this.#requests.take(message);
    const { value, error } = decodeEarly(codec, message);
    return error ? this.#requests.takeInvalid(error) : this.#requests.take(value);
  }

  /** No request is unanswered: the handler may have what was kept to be looked at. */
  #stopLooking(): void {
    const { unseen } = this.#inbound.ahead;
    if (!unseen) return;
    this.#inbound.ahead.takeUnseen();
    this.#inbound.ahead.push(unseen);
  }
}
