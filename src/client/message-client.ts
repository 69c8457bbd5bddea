/**
 * The client: one conversation with a server.
 *
 * | State        | send, request | Incoming messages     | Next state                                                       |
 * |--------------|---------------|-----------------------|------------------------------------------------------------------|
 * | open         | yes           | yes                   | ending: end(), close(), or the server ended its side;            |
 * |              |               |                       | reconnecting or closed: the connection was lost                  |
 * | reconnecting | refused       | none                  | open: connected again; closed: no attempt left, end(), close()   |
 * | ending       | refused       | until the server ends | closed: the server ended its side, or closeTimeout               |
 * | closed       | refused       | none                  |                                                                  |
 *
 * abort() closes from any state.
 */
import type { Address } from '../address.ts';
import type { Timer } from '../clock.ts';
import { systemError, YodelError } from '../errors.ts';
import { encode } from '../framing/framing.ts';
import type { Batch, Message } from '../framing/message.ts';
import { checkOption } from '../option-values.ts';
import { clientOptions } from '../options.ts';
import type { RequestOptions } from '../requests/request-options.ts';
import { Requests } from '../requests/requests.ts';
import type { Connection, Handshake } from '../transport/transport.ts';
import type { Client } from './client.ts';
import { dial } from './dial.ts';
import { Inbox } from './inbox.ts';
import { MessageConnection, type MessageReceiver } from './message-connection.ts';
import { type ClientSettings, type ClientState, dialSettings } from './options.ts';
import { Reconnector } from './reconnector.ts';
import type { UnfinishedMessage } from './unfinished-message.ts';

/** The client that `connect()` returns. */
export class MessageClient implements Client, MessageReceiver {
  readonly address: Address;
  readonly #settings: ClientSettings;
  readonly #requests: Requests<Message, string | Uint8Array | Message>;
  readonly #inbox = new Inbox(() => this.#regulate());
  readonly #closed = Promise.withResolvers<void>();
  readonly #reconnector: Reconnector | undefined;
  #state: ClientState = 'open';
  #connection: MessageConnection | undefined;
  /** What the last connection left unfinished. */
  #leftUnfinished: UnfinishedMessage | undefined;
  /** Messages that the server still sends before any reply, as the protocol says. */
  #greetingsDue = 0;
  /** close() or abort() was called: messages that are not replies are dropped. */
  #isLeaving = false;
  /** Why the current connection is being closed. */
  #error: YodelError | undefined;
  #closeTimer: Timer | undefined;

  constructor(address: Address, settings: ClientSettings, connection: Connection) {
    this.address = address;
    this.#settings = settings;
    this.#requests = new Requests({
      clock: settings.clock,
      correlate: settings.correlate,
      maxInFlight: settings.limits.maxRequestsInFlight,
      link: this,
    });
    this.#reconnector = settings.reconnect && new Reconnector(settings.reconnect, settings.clock);
    this.#attach(connection);
  }

  get state(): ClientState {
    return this.#state;
  }

  get handshake(): Handshake | undefined {
    return this.#connection?.handshake;
  }

  get unfinished(): UnfinishedMessage | undefined {
    return this.#connection ? this.#connection.unfinishedMessage : this.#leftUnfinished;
  }

  get unsent(): number {
    return this.#connection?.unsent ?? 0;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  send(message: string | Uint8Array | Message): boolean | YodelError {
    if (this.#state !== 'open' || !this.#connection) throw this.#cannotSend();
    try {
      this.#connection.send(message);
    } catch (thrown) {
      if (thrown instanceof YodelError) return thrown;
      throw thrown;
    }
    this.#requests.sent();
    return this.unsent <= this.#settings.limits.highWaterMark;
  }

  encode(message: string | Uint8Array | Message): Uint8Array {
    if (this.#state !== 'open' || !this.#connection) throw this.#cannotSend();
    return encode(this.#connection.framing, message);
  }

  drained(): Promise<void> {
    return this.#connection?.drained() ?? Promise.resolve();
  }

  async request(message: string | Uint8Array | Message, options: RequestOptions = {}): Promise<Message> {
    const { timeoutMs = this.#settings.limits.requestTimeout, signal } = options;
    checkOption('timeoutMs', clientOptions.requestTimeout, timeoutMs);
    const reply = this.#requests.request(message, timeoutMs, signal);
    this.#regulate();
    return reply;
  }

  end(): void {
    if (this.#state === 'reconnecting') this.#stopReconnecting(undefined);
    if (this.#state !== 'open') return;
    this.#setState('ending', undefined);
    this.#connection?.end();
  }

  async close(): Promise<void> {
    this.end();
    if (this.#state !== 'closed' && !this.#isLeaving) {
      this.#isLeaving = true;
      this.#regulate();
      const { closeTimeout } = this.#settings.limits;
      const text = `${this.address} did not end the connection within ${closeTimeout} ms (closeTimeout)`;
      this.#closeTimer = this.#settings.clock.deadline(Math.max(1, closeTimeout), () => {
        this.#error ??= new YodelError('YODEL_CONNECTION_CLOSED', text);
        this.#connection?.release();
      });
    }
    await this.closed;
  }

  abort(): void {
    const error = new YodelError('YODEL_CONNECTION_CLOSED', `the connection to ${this.address} was aborted`);
    this.#isLeaving = true;
    if (this.#state === 'reconnecting') return this.#stopReconnecting(error);
    this.#error ??= error;
    this.#connection?.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return { next: () => this.#inbox.next() };
  }

  /** @internal */
  get peerName(): string {
    return String(this.address);
  }

  /** @internal */
  sendRequest(message: string | Uint8Array | Message): number {
    if (this.#state !== 'open' || !this.#connection) throw this.#cannotSend();
    const { position } = this.#connection;
    this.#connection.send(message);
    return position;
  }

  /** @internal */
  hasLeft(position: number): boolean {
    return this.#connection?.hasLeft(position) ?? false;
  }

  /** @internal */
  onChunk(): void {
    this.#reconnector?.reset();
  }

  /** @internal */
  onBatch(batch: Batch): void {
    try {
      for (const message of batch) this.#receive(message);
      if (batch.fault) this.#breakOff(batch.fault, `${this.address} sent an invalid message: ${batch.fault.message}`);
    } catch (thrown) {
      if (!(thrown instanceof YodelError)) throw thrown;
      this.#breakOff(thrown, thrown.message);
    }
    this.#regulate();
    this.#settings.onReceived?.();
  }

  /** @internal */
  onEnd(): void {
    if (this.#state !== 'open') return;
    // No more replies can arrive, so nothing more may be sent.
    this.#error ??= new YodelError('YODEL_CONNECTION_CLOSED', `${this.address} ended the connection`);
    if (this.#reconnector) this.#setState('reconnecting', this.#error);
    else this.#setState('ending', undefined);
    this.#connection?.end();
  }

  /** @internal */
  onClose(cause: Error | undefined, unsent: number): void {
    if (cause) this.#error ??= this.#brokenBy(cause, unsent);
    const error = this.#error;
    this.#leftUnfinished = this.#connection?.unfinishedMessage;
    this.#connection = undefined;
    this.#requests.fail(
      error ?? new YodelError('YODEL_CONNECTION_CLOSED', `${this.address} ended the connection before it replied`),
    );
    const isLost = this.#state === 'open' || this.#state === 'reconnecting';
    const reconnector = this.#isLeaving || !isLost ? undefined : this.#reconnector;
    if (!reconnector || reconnector.isExhausted) this.#finish(error);
    else void this.#reconnect(reconnector, error);
  }

  #receive(message: Message): void {
    if (this.#greetingsDue > 0) this.#greetingsDue--;
    else if (this.#requests.take(message)) return;
    if (!this.#isLeaving) this.#inbox.put(message);
  }

  /** Nothing more can be read. */
  #breakOff(cause: YodelError, text: string): void {
    this.#error ??= new YodelError(cause.code, text, { cause: cause.cause ?? cause });
    this.#connection?.abort(cause);
  }

  #attach(connection: Connection): void {
    const { protocol, limits } = this.#settings;
    const { maxMessageLength } = limits;
    this.#error = undefined;
    this.#leftUnfinished = undefined;
    // A WebSocket has its own framing, and none of the protocol's customs.
    this.#greetingsDue = connection.framing ? 0 : (protocol.greeting ?? 0);
    this.#connection = new MessageConnection(
      connection,
      protocol,
      { maxMessageLength, onTooLong: 'close', encoding: protocol.encoding },
      this,
    );
  }

  /** Pauses receiving while too many messages are queued, unless a reply is pending. */
  #regulate(): void {
    const isFull = this.#inbox.bytes > this.#settings.limits.highWaterMark;
    if (isFull && this.#requests.inFlight === 0 && !this.#isLeaving) this.#connection?.pause();
    else this.#connection?.resume();
  }

  #cannotSend(): YodelError {
    if (this.#state === 'reconnecting') {
      return new YodelError('YODEL_NOT_CONNECTED', `not connected to ${this.address}; reconnecting`);
    }
    return new YodelError('YODEL_CONNECTION_CLOSED', `the connection to ${this.address} is closed`);
  }

  async #reconnect(reconnector: Reconnector, error: YodelError | undefined): Promise<void> {
    if (this.#state !== 'reconnecting') this.#setState('reconnecting', error);
    let lastError = error;
    const connection = await reconnector.connect(
      (signal) => this.#dial(signal),
      (failure) => {
        lastError = failure;
      },
    );
    if (!connection) return this.#finish(lastError);
    if (this.#state !== 'reconnecting') return connection.abort();
    this.#attach(connection);
    this.#setState('open', undefined);
  }

  async #dial(signal: AbortSignal): Promise<Connection> {
    try {
      return await dial(this.address, dialSettings(this.#settings, signal));
    } catch (cause) {
      throw systemError(`cannot reconnect to ${this.address}`, cause);
    }
  }

  /** Aborts the lost connection too, because it may not have closed yet. */
  #stopReconnecting(error: YodelError | undefined): void {
    this.#connection?.abort();
    this.#finish(error);
  }

  #finish(error: YodelError | undefined): void {
    if (this.#state === 'closed') return;
    // If the server ended the connection, that is an error only for pending requests.
    const failure = error && error.code !== 'YODEL_CONNECTION_CLOSED' ? error : undefined;
    this.#setState('closed', failure);
    this.#closeTimer?.cancel();
    this.#reconnector?.cancel();
    this.#requests.fail(error ?? this.#cannotSend());
    this.#inbox.end(this.#isLeaving ? undefined : failure);
    this.#closed.resolve();
  }

  #setState(state: ClientState, error: YodelError | undefined): void {
    this.#state = state;
    this.#settings.onStateChange?.(state, error);
  }

  #brokenBy(cause: Error, unsent: number): YodelError {
    const lost = unsent > 0 ? `; ${unsent} bytes were not sent` : '';
    const error = systemError(`the connection to ${this.address} broke`, cause);
    return new YodelError(error.code, error.message + lost, { cause });
  }
}
