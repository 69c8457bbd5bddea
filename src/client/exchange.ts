/** The messages of a client: what it sends on its connections, and what it receives. */
import type { AnyCodec } from '../codec/codec.ts';
import { decodeMessage, encodeValue } from '../codec/values.ts';
import { isYodelError, YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { ClientLimits } from '../options.ts';
import { checkRequestOptions, type RequestOptions } from '../requests/request-options.ts';
import { type RequestLink, Requests } from '../requests/requests.ts';
import type { ClientCounters } from './client.ts';
import type { MessageClientSettings } from './client-settings.ts';
import { Inbox } from './inbox.ts';
import type { Link, ReceivedMessages } from './link.ts';

/** What a client sends: with a codec any value, without one these. */
export type Sent = unknown;

type Sendable = string | Uint8Array | Message;

/** What it needs of its client. */
export interface ExchangingClient {
  /** The server, for error texts. */
  readonly peerName: string;
  /** Why nothing can be sent. */
  cannotSend(): YodelError;
}

/** See the top of the file. It outlives connections: requests end with theirs, and what was received does not. */
export class Exchange implements RequestLink<Sent> {
  readonly inbox = new Inbox<unknown>(() => this.regulate());
  readonly #client: ExchangingClient;
  readonly #limits: ClientLimits;
  readonly #codec: AnyCodec | undefined;
  readonly #requests: Requests<unknown, Sent>;
  #link: Link | undefined;
  /** Messages that the server still sends before any reply, as the protocol says. */
  #greetingsDue = 0;
  /** Messages that are no replies are no longer wanted. */
  #isLeaving = false;
  #connections = 0;
  #messagesSent = 0;
  #messagesReceived = 0;
  #bytesReceived = 0;
  /** On the connections before the current one. */
  #bytesSent = 0;
  /** Before the current connection could be used by everyone. */
  #repliesBefore = 0;

  constructor(client: ExchangingClient, { limits, codec, correlate, clock }: MessageClientSettings) {
    this.#client = client;
    this.#limits = limits;
    this.#codec = codec;
    this.#requests = new Requests({ clock, correlate, maxInFlight: limits.maxRequestsInFlight, link: this });
  }

  /** The current connection, if there is one. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** Whether requests wait for their replies. */
  get isReplyAwaited(): boolean {
    return this.#requests.inFlight > 0;
  }

  /** Requests that count for `maxRequestsInFlight`. */
  get requestsInFlight(): number {
    return this.#requests.counting;
  }

  get counters(): ClientCounters {
    return {
      messagesSent: this.#messagesSent,
      messagesReceived: this.#messagesReceived,
      bytesSent: this.#bytesSent + (this.#link?.position ?? 0),
      bytesReceived: this.#bytesReceived,
      reconnects: Math.max(0, this.#connections - 1),
      ...this.#requests.counters,
    };
  }

  /** A new connection. */
  attach(link: Link): void {
    this.#link = link;
    this.#greetingsDue = link.greetings;
    this.regulate();
  }

  /** The connection may be used. Returns whether it is the first one. */
  connected(): boolean {
    this.#repliesBefore = this.#requests.counters.replies;
    this.#connections++;
    return this.#connections === 1;
  }

  /** Whether the current connection has answered a request, apart from those of `onConnect`. */
  get hasAnswered(): boolean {
    return this.#requests.counters.replies > this.#repliesBefore;
  }

  /** Whether there was a connection before. */
  get isReconnect(): boolean {
    return this.#connections > 0;
  }

  /** The connection is closed. @param error for the requests */
  detach(error: YodelError): void {
    this.#bytesSent += this.#link?.position ?? 0;
    this.#link = undefined;
    this.#requests.fail(error);
  }

  /** Rejects all requests. */
  fail(error: YodelError): void {
    this.#requests.fail(error);
  }

  /** From now on only replies are received. */
  leave(): void {
    this.#isLeaving = true;
    this.regulate();
  }

  /** See `Client.send`. */
  send(message: Sent): boolean | YodelError {
    const link = this.#linkToSend();
    try {
      link.send(this.#encoded(message));
    } catch (thrown) {
      if (thrown instanceof YodelError) return thrown;
      throw thrown;
    }
    this.#messagesSent++;
    this.#requests.sent();
    return link.unsent <= this.#limits.highWaterMark;
  }

  /** See `Client.encode`. */
  encode(message: Sent): Uint8Array {
    return this.#linkToSend().encode(this.#encoded(message));
  }

  /** See `Client.request`. */
  request(message: Sent, options: RequestOptions): Promise<unknown> {
    try {
      checkRequestOptions(options);
    } catch (error) {
      return Promise.reject(error);
    }
    const { timeoutMs, signal } = options;
    const reply = this.#requests.request(message, timeoutMs ?? this.#limits.requestTimeout, signal);
    this.regulate();
    return reply;
  }

  /** Bytes have arrived. */
  arrived(size: number): void {
    this.#bytesReceived += size;
  }

  /** Messages have arrived. @throws YodelError `YODEL_CORRELATION_FAILED` */
  receive(batch: ReceivedMessages): void {
    for (const message of batch) this.#receive(message);
  }

  /** Pauses receiving while too many messages are queued, unless one of those to come is awaited. */
  regulate(): void {
    const isFull = this.inbox.bytes > this.#limits.highWaterMark;
    const isAwaited = this.isReplyAwaited || this.inbox.isHeldAwaited;
    if (isFull && !isAwaited && !this.#isLeaving) this.#link?.pause();
    else this.#link?.resume();
  }

  get peerName(): string {
    return this.#client.peerName;
  }

  sendRequest(message: Sent): number {
    const link = this.#linkToSend();
    const encoded = this.#encoded(message);
    const { position } = link;
    link.send(encoded);
    this.#messagesSent++;
    return position;
  }

  hasLeft(position: number): boolean {
    return this.#link?.hasLeft(position) ?? false;
  }

  #receive(message: Message): void {
    this.#messagesReceived++;
    let value: unknown = message;
    if (this.#codec) {
      try {
        value = decodeMessage(this.#codec, message);
      } catch (error) {
        if (!isYodelError(error)) throw error;
        return this.#receiveInvalid(error, message.size);
      }
    }
    if (this.#isGreeting() || !this.#requests.take(value)) {
      if (!this.#isLeaving) this.inbox.put(value, message.size);
    }
  }

  #receiveInvalid(error: YodelError, size: number): void {
    if (this.#isGreeting() || !this.#requests.takeInvalid(error)) {
      if (!this.#isLeaving) this.inbox.putInvalid(error, size);
    }
  }

  #isGreeting(): boolean {
    if (this.#greetingsDue === 0) return false;
    this.#greetingsDue--;
    return true;
  }

  #encoded(value: Sent): Sendable {
    return (this.#codec ? encodeValue(this.#codec, value) : value) as Sendable;
  }

  #linkToSend(): Link {
    if (!this.#link) throw this.#client.cannotSend();
    return this.#link;
  }
}
