/**
 * The client: one conversation with a server.
 *
 * | State        | send, request | Incoming messages     | Next state                                                       |
 * |--------------|---------------|-----------------------|------------------------------------------------------------------|
 * | open         | yes           | yes                   | ending: end(), close(), or the server ended its side;            |
 * |              |               |                       | reconnecting or closed: the connection was lost                  |
 * | reconnecting | of onConnect  | while onConnect runs  | open: connected, and onConnect is done; closed: no attempt left, |
 * |              |               |                       | end(), close()                                                   |
 * | ending       | refused       | until the server ends | closed: the server ended its side, or closeTimeout               |
 * | closed       | refused       | none                  |                                                                  |
 *
 * abort() closes from any state. The first connection is made as the later ones are; the program has no client before that.
 */
import type { Address } from '../address.ts';
import type { Timer } from '../clock.ts';
import type { AnyCodec } from '../codec/codec.ts';
import { isYodelError, YodelError } from '../errors.ts';
import { checkRequestOptions, noOptions, type RequestOptions } from '../requests/request-options.ts';
import type { Handshake } from '../transport/transport.ts';
import { callBack } from './callback.ts';
import type { Client, ClientCounters, ClientState, SendAllOptions } from './client.ts';
import type { MessageClientSettings } from './client-settings.ts';
import { type ConnectingClient, Connector } from './connector.ts';
import { Exchange, type ExchangingClient, type Sent } from './exchange.ts';
import type { Reader } from './inbox.ts';
import type { Link, LinkReceiver, OpenedLink, OpenLink, ReceivedMessages } from './link.ts';
import { connectionIsPrepared, type PreparedLink } from './preparation.ts';
import { Readiness, type ReadyOptions } from './readiness.ts';
import { Streams, sendAll } from './streams.ts';
import type { UnfinishedMessage } from './unfinished-message.ts';

/** The client that `connect()` returns. It knows nothing of transports and framings. */
export class MessageClient implements Client<AnyCodec>, ConnectingClient, ExchangingClient, LinkReceiver {
  readonly address: Address;
  readonly #settings: MessageClientSettings;
  readonly #exchange: Exchange;
  readonly #connector: Connector;
  readonly #readiness: Readiness;
  readonly #closed = Promise.withResolvers<YodelError | undefined>();
  #streams: Streams<unknown, Sent> | undefined;
  #state: ClientState = 'reconnecting';
  /** What the last connection left unfinished. */
  #leftUnfinished: UnfinishedMessage | undefined;
  /** Whether the current connection has received anything. */
  #hasReceived = false;
  /** close() or abort() was called: messages that are not replies are dropped. */
  #isLeaving = false;
  /** end() was called, and waits for replies. */
  #isEndDue = false;
  /** Why the current connection is being closed. */
  #error: YodelError | undefined;
  /** The same, if the server has ended it, or this program has aborted it: that closes the client without an error. */
  #endError: YodelError | undefined;
  #abortError: YodelError | undefined;
  #closeTimer: Timer | undefined;

  /** @param open connects */
  constructor(address: Address, open: OpenLink, settings: MessageClientSettings) {
    this.address = address;
    this.#settings = settings;
    this.#exchange = new Exchange(this, settings);
    this.#connector = new Connector(this, open, settings);
    this.#readiness = new Readiness(settings.clock);
  }

  /**
   * Connects for the first time. Call it once, before anything else.
   *
   * @throws YodelError; the signal's reason when it is aborted
   */
  async start(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const abort = () => this.abort();
    signal?.addEventListener('abort', abort, { once: true });
    void this.closed.then(() => signal?.removeEventListener('abort', abort));
    try {
      await this.#connector.first();
    } catch (error) {
      this.#finish(undefined, isYodelError(error) ? error : undefined);
      throw signal?.aborted ? signal.reason : error;
    }
  }

  get state(): ClientState {
    return this.#state;
  }

  get handshake(): Handshake | undefined {
    return this.#link?.handshake;
  }

  get unfinished(): UnfinishedMessage | undefined {
    return this.#link ? this.#link.unfinishedMessage : this.#leftUnfinished;
  }

  get unsent(): number {
    return this.#link?.unsent ?? 0;
  }

  get counters(): ClientCounters {
    return this.#exchange.counters;
  }

  get closed(): Promise<YodelError | undefined> {
    return this.#closed.promise;
  }

  async ready(options: ReadyOptions = noOptions): Promise<void> {
    checkRequestOptions(options, 'ready()');
    options.signal?.throwIfAborted();
    if (this.#state === 'open') return;
    if (this.#state !== 'reconnecting') throw this.cannotSend();
    await this.#readiness.wait(this.peerName, options);
  }

  send(message: Sent): boolean | YodelError {
    if (this.#state !== 'open') throw this.cannotSend();
    return this.#exchange.send(message);
  }

  sendAll(messages: Iterable<Sent> | AsyncIterable<Sent>, options: SendAllOptions = {}): Promise<number> {
    return sendAll(this, messages, options);
  }

  encode(message: Sent): Uint8Array {
    if (this.#state !== 'open') throw this.cannotSend();
    return this.#exchange.encode(message);
  }

  drained(): Promise<void> {
    return this.#link?.drained() ?? Promise.resolve();
  }

  request(message: Sent, options: RequestOptions = noOptions): Promise<unknown> {
    if (this.#state !== 'open') return Promise.reject(this.cannotSend());
    const reply = this.#exchange.request(message, options);
    return this.#link?.endsBothSides ? this.#untilEnd(reply) : reply;
  }

  get readable(): ReadableStream {
    this.#streams ??= new Streams(this);
    return this.#streams.readable;
  }

  get writable(): WritableStream {
    this.#streams ??= new Streams(this);
    return this.#streams.writable;
  }

  end(): void {
    if (this.#state === 'reconnecting') this.#stopReconnecting(undefined);
    if (this.#state !== 'open') return;
    this.#setState('ending', undefined);
    this.#endLink();
  }

  async close(): Promise<void> {
    this.end();
    if (this.#state !== 'closed' && !this.#isLeaving) {
      this.#leave();
      const { closeTimeout } = this.#settings.limits;
      const text = `${this.address} did not end the connection within ${closeTimeout} ms (closeTimeout)`;
      this.#closeTimer = this.#settings.clock.deadline(Math.max(1, closeTimeout), () => {
        this.#error ??= new YodelError('YODEL_CONNECTION_CLOSED', text);
        this.#link?.release();
      });
    }
    await this.closed;
  }

  abort(): void {
    const error = new YodelError('YODEL_CONNECTION_CLOSED', `the connection to ${this.address} was aborted`);
    this.#leave();
    if (this.#state === 'reconnecting') return this.#stopReconnecting(error);
    this.#abortError = error;
    this.#error ??= error;
    this.#link?.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<unknown, undefined> {
    return this.reader();
  }

  /** @internal */
  reader(): Reader<unknown> {
    return this.#exchange.inbox.reader();
  }

  /** @internal Calls back when it is closed, at once if it is. Returns a function that takes that back. */
  whenClosed(listener: (error: unknown) => void): () => void {
    if (this.#state === 'closed') listener(this.cannotSend());
    return this.#readiness.whenClosed(listener);
  }

  /** @internal Requests that count for `maxRequestsInFlight`. */
  get requestsInFlight(): number {
    return this.#exchange.requestsInFlight;
  }

  /** @internal Whether requests wait for their replies. */
  get isReplyAwaited(): boolean {
    return this.#exchange.isReplyAwaited;
  }

  /** @internal While it connects: tries again at once. */
  retryNow(): void {
    if (this.#state === 'reconnecting') this.#connector.retryNow();
  }

  /** @internal */
  get peerName(): string {
    return String(this.address);
  }

  /** @internal */
  cannotSend(): YodelError {
    if (this.#state === 'reconnecting') {
      const isPreparing = this.#connector.isPreparing;
      const why = isPreparing ? 'onConnect is not done; it sends with the connection that it gets' : 'reconnecting';
      return new YodelError('YODEL_NOT_CONNECTED', `not connected to ${this.address}; ${why}`);
    }
    return new YodelError('YODEL_CONNECTION_CLOSED', `the connection to ${this.address} is closed`);
  }

  /** @internal */
  onChunk(chunk: { readonly length: number }): void {
    this.#exchange.arrived(chunk.length);
    this.#hasReceived = true;
  }

  /** @internal */
  onBatch(batch: ReceivedMessages): void {
    try {
      this.#exchange.receive(batch);
      if (batch.fault) this.#breakOff(batch.fault, `${this.address} sent an invalid message: ${batch.fault.message}`);
    } catch (thrown) {
      if (!isYodelError(thrown)) throw thrown;
      this.#breakOff(thrown, thrown.message);
    }
    this.#exchange.regulate();
    this.#settings.onReceived?.();
  }

  /** @internal */
  onEnd(): void {
    if (this.#state !== 'open' && !this.#connector.isConnecting) return;
    // No more replies can arrive, so nothing more may be sent.
    this.#endError = new YodelError('YODEL_CONNECTION_CLOSED', `${this.address} ended the connection`);
    this.#error ??= this.#endError;
    if (this.#state === 'open') {
      if (this.#connector.reconnects) this.#setState('reconnecting', this.#error);
      else this.#setState('ending', undefined);
    }
    this.#link?.end();
  }

  /** @internal */
  onClose(cause: YodelError | undefined): void {
    this.#error ??= cause;
    const error = this.#error;
    this.#leftUnfinished = this.#link?.unfinishedMessage;
    const ended = new YodelError('YODEL_CONNECTION_CLOSED', `${this.address} ended the connection before it replied`);
    const wasAwaited = this.#exchange.isReplyAwaited;
    this.#exchange.detach(error ?? ended);
    if (this.#connector.isConnecting) {
      this.#exchange.inbox.release(error ?? ended);
      return this.#connector.closed(error ?? ended);
    }
    this.#connector.lost({ hasReceived: this.#hasReceived, hasAnswered: this.#exchange.hasAnswered });
    const isLost = !this.#isLeaving && (this.#state === 'open' || this.#state === 'reconnecting');
    if (isLost && this.#connector.hasAttemptsLeft) return void this.#reconnect(error);
    const hasGivenUp = isLost && this.#connector.reconnects;
    const isNormal =
      error === undefined || error === this.#endError ? !wasAwaited && !hasGivenUp : error === this.#abortError;
    this.#finish(error, isNormal ? undefined : (error ?? ended));
  }

  /** @internal */
  attach(opened: OpenedLink): Link {
    this.#error = undefined;
    this.#endError = undefined;
    this.#leftUnfinished = undefined;
    this.#hasReceived = false;
    if (this.#settings.onConnect) this.#exchange.inbox.hold();
    const link = opened(this);
    this.#exchange.attach(link);
    return link;
  }

  /** @internal */
  prepared(): PreparedLink {
    const exchange = this.#exchange;
    return {
      address: this.address,
      handshake: this.handshake,
      isReconnect: exchange.isReconnect,
      send: (message) => exchange.send(message),
      request: (message, options = noOptions) => exchange.request(message, options),
      receive: async () => (await exchange.inbox.nextHeld()).value,
    };
  }

  /** @internal */
  loss(link: Link): YodelError | undefined {
    const isUsable = this.#link === link && this.#error === undefined && this.#state === 'reconnecting';
    return isUsable ? undefined : (this.#error ?? this.cannotSend());
  }

  /** @internal */
  connected(): void {
    this.#exchange.inbox.release(connectionIsPrepared(this.address));
    if (this.#exchange.connected()) this.#state = 'open';
    else this.#setState('open', undefined);
    this.#readiness.opened();
  }

  get #link(): Link | undefined {
    return this.#exchange.link;
  }

  /** Nothing more can be read. */
  #breakOff(cause: YodelError, text: string): void {
    this.#error ??= new YodelError(cause.code, text, { cause: cause.cause ?? cause });
    this.#link?.abort(cause);
  }

  /** Ends this side: at once, or after the last reply if none could be received then. */
  #endLink(): void {
    this.#isEndDue = this.#link?.endsBothSides === true && this.#exchange.isReplyAwaited;
    if (!this.#isEndDue) this.#link?.end();
  }

  async #untilEnd(reply: Promise<unknown>): Promise<unknown> {
    try {
      return await reply;
    } finally {
      if (this.#isEndDue) this.#endLink();
    }
  }

  #leave(): void {
    this.#isLeaving = true;
    this.#exchange.leave();
  }

  async #reconnect(error: YodelError | undefined): Promise<void> {
    if (this.#state !== 'reconnecting') this.#setState('reconnecting', error);
    try {
      await this.#connector.again(error);
    } catch (lastError) {
      if (!isYodelError(lastError)) throw lastError;
      this.#finish(lastError, lastError);
    }
  }

  /** Aborts the lost connection too, because it may not have closed yet. */
  #stopReconnecting(error: YodelError | undefined): void {
    this.#link?.abort();
    this.#finish(error, undefined);
  }

  /** @param why what the program learns from `closed` */
  #finish(error: YodelError | undefined, why: YodelError | undefined): void {
    if (this.#state === 'closed') return;
    // If the server ended the connection, that is an error only for pending requests.
    const failure = error && error.code !== 'YODEL_CONNECTION_CLOSED' ? error : undefined;
    this.#setState('closed', failure);
    this.#closeTimer?.cancel();
    this.#connector.cancel();
    this.#exchange.fail(error ?? this.cannotSend());
    this.#exchange.inbox.end(this.#isLeaving ? undefined : failure);
    this.#readiness.closed(failure ?? this.cannotSend());
    this.#closed.resolve(why);
  }

  #setState(state: ClientState, error: YodelError | undefined): void {
    this.#state = state;
    callBack(this.#settings.report, this.#settings.onStateChange, state, error);
  }
}
