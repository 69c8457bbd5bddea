/** The pool that `connectPool()` returns. */
import type { Address } from '../../address.ts';
import type { AnyCodec } from '../../codec/codec.ts';
import { isYodelError, YodelError } from '../../errors.ts';
import type { PoolLimits } from '../../options.ts';
import { checkRequestOptions, noOptions, type RequestOptions } from '../../requests/request-options.ts';
import { callBack } from '../callback.ts';
import type { ClientCounters } from '../client.ts';
import type { MessageClientSettings } from '../client-settings.ts';
import type { OpenLink } from '../link.ts';
import { MessageClient } from '../message-client.ts';
import { Readiness, type ReadyOptions } from '../readiness.ts';
import type { Pool, PoolCounters, PoolHealth } from './pool.ts';
import { Waiting } from './waiting.ts';

/** What a pool is made of. */
export interface PoolSettings {
  readonly address: Address;
  readonly open: OpenLink;
  readonly client: MessageClientSettings;
  readonly limits: PoolLimits;
  readonly onMessage: ((message: unknown) => unknown) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** One connection, with its replacements. */
interface Member {
  readonly client: MessageClient;
  /** Requests that were given this connection, and are sent in the next turn. */
  reserved: number;
  isConnected: boolean;
}

/** See the top of the file. */
export class MessagePool implements Pool<AnyCodec> {
  readonly #settings: PoolSettings;
  readonly #members = new Set<Member>();
  readonly #waiting: Waiting<Member>;
  readonly #readiness: Readiness;
  readonly #closed = Promise.withResolvers<void>();
  #whenIdle: (() => void) | undefined;
  #isClosing = false;
  #isOver = false;
  /** Requests without a reply, those that wait included. */
  #unanswered = 0;
  #connections = 0;
  #messagesDropped = 0;
  /** Of the connections that are no more. */
  readonly #past: ClientCounters[] = [];

  constructor(settings: PoolSettings) {
    this.#settings = settings;
    const { clock } = settings.client;
    this.#waiting = new Waiting(clock, settings.limits.maxWaiting);
    this.#readiness = new Readiness(clock);
  }

  /** Opens the first connection. @throws as `connect()` */
  async start(): Promise<void> {
    const { signal } = this.#settings;
    const abort = () => this.abort();
    signal?.addEventListener('abort', abort, { once: true });
    void this.closed.then(() => signal?.removeEventListener('abort', abort));
    try {
      await this.#add(this.#settings.client.retriesFirst);
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  get address(): Address {
    return this.#settings.address;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get health(): PoolHealth {
    const open = this.#open().length;
    const connecting = this.#members.size - open;
    const waiting = this.#waiting.size;
    return { open, connecting, inFlight: this.#unanswered - waiting, waiting };
  }

  get counters(): PoolCounters {
    const all = [...this.#past, ...[...this.#members].map(({ client }) => client.counters)];
    return { ...all.reduce(add, nothing), connections: this.#connections, messagesDropped: this.#messagesDropped };
  }

  async ready(options: ReadyOptions = noOptions): Promise<void> {
    checkRequestOptions(options, 'ready()');
    options.signal?.throwIfAborted();
    if (this.#isClosing) throw this.#closedError();
    if (this.#open().length > 0) return;
    this.#grow();
    await this.#readiness.wait(String(this.address), options);
  }

  async request(message: unknown, options: RequestOptions = noOptions): Promise<unknown> {
    checkRequestOptions(options);
    const { limits, clock } = this.#settings.client;
    const { timeoutMs = limits.requestTimeout, signal } = options;
    signal?.throwIfAborted();
    if (this.#isClosing) throw this.#closedError();
    const deadline = clock.ran() + timeoutMs;
    this.#unanswered++;
    try {
      const left = () => (timeoutMs === 0 ? 0 : Math.max(1, Math.ceil(deadline - clock.ran())));
      let member = this.#waiting.size === 0 ? this.#free() : undefined;
      // A connection may be lost before its turn comes.
      while (member?.client.state !== 'open') member = await this.#wait(left(), signal);
      return await member.client.request(message, { timeoutMs: left(), signal });
    } catch (error) {
      if (isYodelError(error) && error.code === 'YODEL_REQUEST_TIMEOUT') this.#replaceStuck();
      throw error;
    } finally {
      this.#unanswered--;
      this.#serve();
    }
  }

  send(message: unknown): boolean | YodelError {
    const [member] = this.#open().sort((a, b) => load(a) - load(b));
    if (this.#isClosing) throw this.#closedError();
    if (member) return member.client.send(message);
    this.#grow();
    throw new YodelError('YODEL_NOT_CONNECTED', `not connected to ${this.address}; connecting`);
  }

  async close(): Promise<void> {
    if (this.#isClosing) return await this.closed;
    this.#isClosing = true;
    const { clock, limits } = this.#settings.client;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = clock.deadline(Math.max(1, limits.closeTimeout), resolve);
    this.#whenIdle = resolve;
    this.#serve();
    await promise;
    timer.cancel();
    if (this.#unanswered > 0) return this.abort();
    await Promise.all([...this.#members].map(({ client }) => client.close()));
    this.#finish();
  }

  abort(): void {
    this.#isClosing = true;
    for (const { client } of [...this.#members]) client.abort();
    this.#finish();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(): Member[] {
    return [...this.#members].filter(({ client, isConnected }) => isConnected && client.state === 'open');
  }

  /** The connection for the next request; undefined: it has to wait. Opens another one where all are busy. */
  #free(): Member | undefined {
    const [member] = this.#open().sort((a, b) => load(a) - load(b));
    if (!member || load(member) > 0) this.#grow();
    return member && !this.#isFull(member) ? member : undefined;
  }

  #isFull(member: Member): boolean {
    const { maxRequestsInFlight } = this.#settings.client.limits;
    return maxRequestsInFlight > 0 && load(member) >= maxRequestsInFlight;
  }

  /**
   * A request has timed out. By order, it keeps its place until its reply arrives, which may be never. Where only such requests, and
   * cancelled ones, have all places of a connection, nothing can be sent on it.
   */
  #replaceStuck(): void {
    for (const member of this.#open()) {
      if (!this.#isFull(member) || member.reserved > 0 || member.client.isReplyAwaited) continue;
      this.#remove(member);
      member.client.abort();
    }
    if (this.#waiting.size > 0) this.#grow();
  }

  async #wait(timeoutMs: number, signal: AbortSignal | undefined): Promise<Member> {
    if (this.#isOver) throw this.#closedError();
    signal?.throwIfAborted();
    this.#grow();
    const member = await this.#waiting.wait(String(this.address), timeoutMs, signal);
    member.reserved--;
    return member;
  }

  /** Something has changed: those that wait may go on. */
  #serve(): void {
    while (this.#waiting.size > 0) {
      const member = this.#free();
      if (!member) break;
      member.reserved++;
      this.#waiting.next(member);
    }
    if (this.#unanswered === 0) this.#whenIdle?.();
  }

  /** Opens one more connection, if there may be one more and none is being opened. */
  #grow(): void {
    const isGrowing = [...this.#members].some(({ isConnected }) => !isConnected);
    if (isGrowing || this.#isClosing || this.#members.size >= this.#settings.limits.size) return;
    this.#add(true).catch((error: unknown) => {
      if (!isYodelError(error) && !this.#settings.signal?.aborted) throw error;
    });
  }

  /** @param isRetried whether it keeps trying */
  async #add(isRetried: boolean): Promise<void> {
    const { address, open, client: settings, signal } = this.#settings;
    const client = new MessageClient(address, open, {
      ...settings,
      retriesFirst: isRetried,
      onReceived: () => this.#serve(),
      onStateChange: (state) => {
        if (state === 'open') this.#opened();
      },
    });
    const member: Member = { client, reserved: 0, isConnected: false };
    this.#members.add(member);
    void client.closed.then((error) => this.#lost(member, error));
    try {
      await client.start(signal);
    } catch (error) {
      this.#lost(member, isYodelError(error) ? error : undefined);
      throw error;
    }
    member.isConnected = true;
    void this.#receive(client);
    this.#opened();
  }

  #opened(): void {
    this.#connections++;
    this.#readiness.opened();
    this.#serve();
  }

  /** A connection is gone for good. */
  #lost(member: Member, error: YodelError | undefined): void {
    if (!this.#remove(member) || this.#members.size > 0) return;
    const why = error ?? this.#closedError();
    this.#waiting.fail(why);
    this.#readiness.closed(why);
  }

  /** Returns whether it was one of the pool's. */
  #remove(member: Member): boolean {
    if (!this.#members.delete(member)) return false;
    this.#past.push(member.client.counters);
    const [first, second] = this.#past;
    if (first && second) this.#past.splice(0, 2, add(first, second));
    return true;
  }

  async #receive(client: MessageClient): Promise<void> {
    const messages = client[Symbol.asyncIterator]();
    for (;;) {
      try {
        const { done, value } = await messages.next();
        if (done) return;
        const { client, onMessage } = this.#settings;
        if (onMessage) callBack(client.report, onMessage, value);
        else this.#messagesDropped++;
      } catch (error) {
        // It could not be read, or the connection broke, which `closed` tells.
        if (!isYodelError(error)) throw error;
        if (error.code === 'YODEL_UNDECODABLE_MESSAGE') this.#messagesDropped++;
      }
    }
  }

  #closedError(): YodelError {
    return new YodelError('YODEL_CONNECTION_CLOSED', `the pool of connections to ${this.address} is closed`);
  }

  #finish(): void {
    this.#isOver = true;
    this.#waiting.fail(this.#closedError());
    this.#readiness.closed(this.#closedError());
    this.#closed.resolve();
  }
}

const nothing: ClientCounters = {
  messagesSent: 0,
  messagesReceived: 0,
  bytesSent: 0,
  bytesReceived: 0,
  reconnects: 0,
  requests: 0,
  replies: 0,
  requestTimeouts: 0,
  cancelledRequests: 0,
  lateReplies: 0,
};

function load({ client, reserved }: Member): number {
  return client.requestsInFlight + reserved;
}

function add(sum: ClientCounters, counters: ClientCounters): ClientCounters {
  const names = Object.keys(sum) as (keyof ClientCounters)[];
  return Object.fromEntries(names.map((name) => [name, sum[name] + counters[name]])) as unknown as ClientCounters;
}
