/**
 * The client: one conversation with a server.
 *
 * | State        | send, request    | Incoming messages | Goes on to                                                     |
 * |--------------|------------------|-------------------|----------------------------------------------------------------|
 * | open         | yes              | yes               | ending: end(), close(), or the server ended; reconnecting; closed: broken |
 * | reconnecting | refused          | none              | open: connected again; closed: gave up, or close()             |
 * | ending       | refused          | until the server ends | closed: the server ended, or closeTimeout                  |
 * | closed       | refused          | none              |                                                                |
 */
import { type Address, defaultAddress, parseAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import type { Decoder } from '../framing/framing.ts';
import type { Message } from '../framing/message.ts';
import { checkOption, clientOptions, type ReconnectLimits } from '../options.ts';
import type { Timer } from '../session/clock.ts';
import { Output } from '../session/output.ts';
import type { Connection, Receiver } from '../transport/transport.ts';
import { Inbox } from './inbox.ts';
import { type ClientSettings, type ClientState, type ConnectOptions, resolveClientOptions } from './options.ts';
import { Replies } from './replies.ts';

/**
 * A connection to a server. Iterate over it for the messages that are not replies to a request:
 * `for await (const message of client)`. The iteration ends when the server ends, and throws when the connection breaks.
 */
export interface Client extends AsyncIterable<Message, undefined>, AsyncDisposable {
  /** Where it is connected to. */
  readonly address: Address;
  readonly state: ClientState;
  /** Bytes sent that the operating system has not taken yet. */
  readonly unsent: number;
  /** Resolves when the client is closed, however that came about. Never rejects. */
  readonly closed: Promise<void>;
  /**
   * Sends a message and expects no reply to it.
   *
   * @returns false when more than highWaterMark is unsent: wait for {@link drained} before you send more
   * @throws YodelError `YODEL_CONNECTION_CLOSED`, `YODEL_NOT_CONNECTED`, `YODEL_UNENCODABLE_MESSAGE`
   */
  send(message: string | Uint8Array): boolean;
  /** Resolves when what was sent has left, or the connection has ended. */
  drained(): Promise<void>;
  /**
   * Sends a message and resolves with its reply. Any number may be in flight: the server answers in order, so the first
   * message that comes belongs to the first request.
   *
   * @param options.timeoutMs default: the option `requestTimeout`; 0 waits for ever
   * @throws YodelError `YODEL_REQUEST_TIMEOUT`, `YODEL_CONNECTION_CLOSED`, `YODEL_CONNECTION_RESET`,
   *   `YODEL_NOT_CONNECTED`, `YODEL_UNENCODABLE_MESSAGE`, `YODEL_INVALID_OPTION`; the signal's reason when it is aborted
   */
  request(message: string | Uint8Array, options?: RequestOptions): Promise<Message>;
  /** Sends no more (FIN). What the server still sends is received until it ends as well. */
  end(): void;
  /** Ends, waits for the replies that are due and for the server to end, at most closeTimeout. Other messages are dropped. */
  close(): Promise<void>;
  /** Breaks the connection off at once; requests in flight are rejected. */
  abort(): void;
}

/** What {@link Client.request} takes. */
export interface RequestOptions {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects to a server.
 *
 * ```ts
 * await using client = await connect('127.0.0.1:7878');
 * const reply = await client.request('hello');
 * ```
 *
 * @param address default `tcp://127.0.0.1:7878`
 * @throws YodelError `YODEL_CONNECTION_REFUSED`, `YODEL_CONNECT_TIMEOUT`, `YODEL_HOST_NOT_FOUND`, `YODEL_INVALID_ADDRESS`,
 *   `YODEL_INVALID_OPTION`, …; the signal's reason when it is aborted
 */
export async function connect(
  address: Address | string | number = defaultAddress,
  options: ConnectOptions = {},
): Promise<Client> {
  const settings = resolveClientOptions(options);
  const to = typeof address === 'object' ? address : parseAddress(address);
  if (to.scheme === 'ws' || to.scheme === 'wss') {
    throw new YodelError(
      'YODEL_INVALID_ADDRESS',
      `the client speaks TCP, TLS and Unix sockets, not WebSocket as ${to}`,
    );
  }
  const connection = await openConnection(to, settings, options.signal);
  // It may have been aborted in the moment in which the connection came about.
  if (options.signal?.aborted) {
    connection.abort();
    throw options.signal.reason;
  }
  const client = new MessageClient(to, settings);
  const abort = () => client.abort();
  options.signal?.addEventListener('abort', abort, { once: true });
  void client.closed.then(() => options.signal?.removeEventListener('abort', abort));
  client.attach(connection);
  return client;
}

async function openConnection(
  address: Address,
  { transport, tls, limits, clock }: ClientSettings,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const tooLate = new AbortController();
  const { connectTimeout } = limits;
  const text = `cannot connect to ${address}: no answer within ${connectTimeout} ms (connectTimeout)`;
  const expire = () => tooLate.abort(new YodelError('YODEL_CONNECT_TIMEOUT', text));
  const timer = connectTimeout === 0 ? undefined : clock.after(connectTimeout, expire);
  const either = signal ? AbortSignal.any([signal, tooLate.signal]) : tooLate.signal;
  return await transport.connect(address, { signal: either, tls }).finally(() => timer?.cancel());
}

class MessageClient implements Client, Receiver {
  readonly address: Address;
  readonly #settings: ClientSettings;
  readonly #replies: Replies;
  readonly #inbox = new Inbox(() => this.#regulate());
  readonly #output = new Output();
  readonly #closed = Promise.withResolvers<void>();
  readonly #aborter = new AbortController();
  #state: ClientState = 'open';
  #connection: Connection | undefined;
  #decoder: Decoder;
  #flushDue = false;
  #paused = false;
  /** close() was called: messages that were not asked for are dropped. */
  #leaving = false;
  /** Why the connection is being given up. */
  #error: YodelError | undefined;
  #attempts = 0;
  #timer: Timer | undefined;
  #whenDrained: (() => void)[] = [];

  constructor(address: Address, settings: ClientSettings) {
    this.address = address;
    this.#settings = settings;
    this.#replies = new Replies(settings.clock);
    this.#decoder = this.#createDecoder();
  }

  get state(): ClientState {
    return this.#state;
  }

  get unsent(): number {
    return (this.#connection?.unsent ?? 0) + this.#output.size;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  send(message: string | Uint8Array): boolean {
    if (this.#state !== 'open') throw this.#cannotSend();
    this.#output.appendMessage(this.#settings.framing.encoder, message, undefined);
    this.#flushSoon();
    return this.unsent <= this.#settings.limits.highWaterMark;
  }

  drained(): Promise<void> {
    if (this.unsent === 0 || this.#state === 'closed') return Promise.resolve();
    return new Promise((resolve) => this.#whenDrained.push(resolve));
  }

  async request(message: string | Uint8Array, options: RequestOptions = {}): Promise<Message> {
    const { timeoutMs = this.#settings.limits.requestTimeout, signal } = options;
    checkOption('timeoutMs', clientOptions.requestTimeout, timeoutMs);
    signal?.throwIfAborted();
    this.send(message);
    const reply = this.#replies.expect(timeoutMs, signal);
    this.#regulate();
    return reply;
  }

  end(): void {
    if (this.#state === 'reconnecting') this.#giveUp(undefined);
    if (this.#state !== 'open') return;
    this.#flush();
    this.#setState('ending', undefined);
    this.#connection?.end();
  }

  async close(): Promise<void> {
    this.end();
    if (this.#state !== 'closed' && !this.#leaving) {
      this.#leaving = true;
      this.#regulate();
      const { closeTimeout } = this.#settings.limits;
      const text = `${this.address} did not end the connection within ${closeTimeout} ms (closeTimeout)`;
      this.#timer = this.#settings.clock.after(Math.max(1, closeTimeout), () => {
        this.#error ??= new YodelError('YODEL_CONNECTION_CLOSED', text);
        this.#connection?.release();
      });
    }
    await this.closed;
  }

  abort(): void {
    const error = new YodelError('YODEL_CONNECTION_CLOSED', `the connection to ${this.address} was aborted`);
    this.#leaving = true;
    if (this.#state === 'reconnecting') return this.#giveUp(error);
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
  attach(connection: Connection): void {
    this.#connection = connection;
    this.#decoder = this.#createDecoder();
    this.#paused = false;
    this.#error = undefined;
    connection.start(this);
  }

  /** @internal */
  onData(bytes: Uint8Array): void {
    // A server that takes connections but never says anything counts as failing, or it would be tried without pause.
    this.#attempts = 0;
    // Messages belong to the program for good.
    const owned = this.#connection?.chunksAreBorrowed ? Buffer.from(bytes) : bytes;
    this.#receive(this.#decoder.decode(owned));
    this.#regulate();
  }

  /** @internal */
  onEnd(): void {
    this.#receive(this.#decoder.end());
    if (this.#state !== 'open') return;
    // No reply can come any more, so nothing may be sent any more.
    this.#error ??= new YodelError('YODEL_CONNECTION_CLOSED', `${this.address} ended the connection`);
    this.#setState(this.#settings.reconnect ? 'reconnecting' : 'ending', this.#settings.reconnect && this.#error);
    this.#connection?.end();
  }

  /** @internal */
  onDrain(): void {
    if (this.unsent === 0) this.#letWaitersOn();
  }

  /** @internal */
  onClose(cause?: Error): void {
    const unsent = this.unsent;
    this.#output.clear();
    this.#letWaitersOn();
    if (cause) this.#error ??= this.#brokenBy(cause, unsent);
    const error = this.#error;
    this.#replies.fail(
      error ?? new YodelError('YODEL_CONNECTION_CLOSED', `${this.address} ended the connection before it replied`),
    );
    const lost = this.#state === 'open' || this.#state === 'reconnecting';
    const { reconnect } = this.#settings;
    if (reconnect && lost && !this.#leaving) this.#reconnectSoon(reconnect, error);
    else this.#finish(error);
  }

  #receive(batch: ReturnType<Decoder['decode']>): void {
    for (const message of batch) {
      if (!this.#replies.take(message) && !this.#leaving) this.#inbox.put(message);
    }
    if (!batch.fault) return;
    const { code, message } = batch.fault;
    this.#error ??= new YodelError(code, `${this.address} sent what cannot be taken: ${message}`, {
      cause: batch.fault,
    });
    this.#connection?.abort();
  }

  /** Reads on while somebody wants what comes. */
  #regulate(): void {
    const full = this.#inbox.bytes > this.#settings.limits.highWaterMark;
    const pause = full && this.#replies.due === 0 && !this.#leaving;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#connection?.pause();
    else this.#connection?.resume();
  }

  /** Messages that are sent in one go leave in one write. */
  #flushSoon(): void {
    if (this.#output.size >= flushAt) return this.#flush();
    if (this.#flushDue) return;
    this.#flushDue = true;
    queueMicrotask(() => {
      this.#flushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#output.size === 0 || !this.#connection) return;
    this.#output.writeTo(this.#connection);
    // What never had to wait is not told by onDrain.
    this.onDrain();
  }

  #letWaitersOn(): void {
    for (const resolve of this.#whenDrained.splice(0)) resolve();
  }

  #cannotSend(): YodelError {
    if (this.#state === 'reconnecting') {
      return new YodelError(
        'YODEL_NOT_CONNECTED',
        `not connected to ${this.address} at the moment; it is being tried again`,
      );
    }
    return new YodelError('YODEL_CONNECTION_CLOSED', `the connection to ${this.address} is closed`);
  }

  #reconnectSoon(limits: ReconnectLimits, error: YodelError | undefined): void {
    const { minDelay, maxDelay, maxAttempts } = limits;
    if (maxAttempts > 0 && this.#attempts >= maxAttempts) return this.#finish(error);
    const delay = Math.min(maxDelay, minDelay * 2 ** this.#attempts);
    this.#attempts++;
    this.#connection = undefined;
    if (this.#state !== 'reconnecting') this.#setState('reconnecting', error);
    // Half of the delay is chance, so that a thousand clients do not come back in the same moment.
    this.#timer = this.#settings.clock.after(
      delay / 2 + (Math.random() * delay) / 2,
      () => void this.#reconnect(limits),
    );
  }

  async #reconnect(limits: ReconnectLimits): Promise<void> {
    try {
      const connection = await openConnection(this.address, this.#settings, this.#aborter.signal);
      if (this.#state !== 'reconnecting') return connection.abort();
      this.attach(connection);
      this.#setState('open', undefined);
    } catch (cause) {
      if (this.#state !== 'reconnecting') return;
      this.#reconnectSoon(limits, systemError(`cannot connect to ${this.address} again`, cause));
    }
  }

  /** Stops trying to connect again; the old connection may not even have closed yet. */
  #giveUp(error: YodelError | undefined): void {
    this.#connection?.abort();
    this.#finish(error);
  }

  #finish(error: YodelError | undefined): void {
    if (this.#state === 'closed') return;
    // That the server ended is how conversations end; only who waits for a reply is told of it as an error.
    const failed = error && error.code !== 'YODEL_CONNECTION_CLOSED' ? error : undefined;
    this.#setState('closed', failed);
    this.#timer?.cancel();
    this.#aborter.abort();
    this.#replies.fail(error ?? this.#cannotSend());
    this.#inbox.end(this.#leaving ? undefined : failed);
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

  #createDecoder(): Decoder {
    const { framing, encoding, limits } = this.#settings;
    return framing.createDecoder({ maxMessageLength: limits.maxMessageLength, onTooLong: 'close', encoding });
  }
}

/** Messages are gathered up to here before they are written without waiting for the end of the turn. */
const flushAt = 65_536;
