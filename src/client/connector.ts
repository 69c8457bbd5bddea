/** How a client gets its connections: the attempts to connect, each with `onConnect`, and the pauses between them. */
import { YodelError } from '../errors.ts';
import type { MessageClientSettings } from './client-settings.ts';
import type { Link, OpenedLink, OpenLink } from './link.ts';
import { Preparation, type PreparedLink } from './preparation.ts';
import { Reconnector, type Use } from './reconnector.ts';

/** The client that is connected. */
export interface ConnectingClient {
  /** A new connection. Nobody but {@link prepared} may send on it yet. */
  attach(opened: OpenedLink): Link;
  /** What `onConnect` may do with it. */
  prepared(): PreparedLink;
  /** Why the connection can no longer be used; undefined if it can. */
  loss(link: Link): YodelError | undefined;
  /** It may be used by everyone. */
  connected(): void;
}

type OnConnect = NonNullable<MessageClientSettings['onConnect']>;

/** See the top of the file. */
export class Connector {
  readonly #client: ConnectingClient;
  readonly #open: OpenLink;
  readonly #settings: MessageClientSettings;
  readonly #reconnector: Reconnector | undefined;
  /** While there is a connection that may not be used yet: resolved when it has closed. */
  #closing: PromiseWithResolvers<void> | undefined;
  #preparation: Preparation | undefined;
  /** Aborts the first attempt where it is not retried. */
  readonly #onlyAttempt = new AbortController();

  constructor(client: ConnectingClient, open: OpenLink, settings: MessageClientSettings) {
    this.#client = client;
    this.#open = open;
    this.#settings = settings;
    const { reconnect, clock } = settings;
    this.#reconnector = reconnect && new Reconnector(reconnect, clock);
  }

  /** Whether a connection that is lost is replaced. */
  get reconnects(): boolean {
    return this.#reconnector !== undefined;
  }

  /** Whether there is another attempt. */
  get hasAttemptsLeft(): boolean {
    return this.#reconnector !== undefined && !this.#reconnector.isExhausted;
  }

  /** Whether `onConnect` is running. */
  get isPreparing(): boolean {
    return this.#preparation !== undefined;
  }

  /** Whether there is a connection that may not be used yet. */
  get isConnecting(): boolean {
    return this.#closing !== undefined;
  }

  /** The connection is lost. */
  lost(use: Use): void {
    this.#reconnector?.lost(use);
  }

  /** Skips the pause before the next attempt. */
  retryNow(): void {
    this.#reconnector?.retryNow();
  }

  /** Ends all attempts. */
  cancel(): void {
    this.#reconnector?.cancel();
    this.#onlyAttempt.abort(new YodelError('YODEL_CONNECTION_CLOSED', 'connecting was aborted'));
  }

  /** The connection that may not be used yet has closed. */
  closed(error: YodelError): void {
    this.#closing?.resolve();
    this.#preparation?.fail(error);
  }

  /**
   * Connects for the first time, with as many attempts as the options say.
   *
   * @throws YodelError the last error, or that it was cancelled
   */
  async first(): Promise<void> {
    if (!this.#reconnector || !this.#settings.retriesFirst) return void (await this.#attempt(this.#onlyAttempt.signal));
    this.#reconnector.retryNow();
    await this.again(undefined);
  }

  /**
   * Tries until it is connected.
   *
   * @param loss why the last connection was lost
   * @throws YodelError the last error, when no attempt is left or they were cancelled
   */
  async again(loss: YodelError | undefined): Promise<void> {
    let lastError = loss;
    const isConnected = await this.#reconnector?.connect(
      (signal) => this.#attempt(signal),
      (failure) => {
        lastError = failure;
      },
    );
    if (!isConnected) throw lastError ?? new YodelError('YODEL_CONNECTION_CLOSED', 'connecting was aborted');
  }

  async #attempt(signal: AbortSignal): Promise<true> {
    const opened = await this.#open(signal);
    this.#closing = Promise.withResolvers();
    const link = this.#client.attach(opened);
    try {
      // It may have been aborted in the turn of the event loop in which the connection was established.
      signal.throwIfAborted();
      // Without onConnect nothing may be awaited: what has arrived already, and the end after it, is the program's to receive.
      if (this.#settings.onConnect) await this.#prepare(this.#settings.onConnect, signal);
      const loss = this.#client.loss(link);
      if (loss) throw loss;
    } catch (error) {
      link.abort();
      await this.#closing.promise;
      this.#over();
      throw error;
    }
    this.#over();
    this.#client.connected();
    return true;
  }

  /** The connection is the client's, or closed. */
  #over(): void {
    this.#preparation = undefined;
    this.#closing = undefined;
  }

  async #prepare(onConnect: OnConnect, signal: AbortSignal): Promise<void> {
    const { limits, clock } = this.#settings;
    const preparation = new Preparation(this.#client.prepared());
    this.#preparation = preparation;
    const abort = () => preparation.fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await preparation.run(onConnect, limits.connectTimeout, clock);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}
