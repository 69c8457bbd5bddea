/** The connection of a conversation on a terminal, with reconnecting. */
import type { Address } from '../../../address.ts';
import type { Client } from '../../../client/client.ts';
import { connect } from '../../../client/connect.ts';
import type { ConnectOptions } from '../../../client/options.ts';
import { Reconnector } from '../../../client/reconnector.ts';
import type { UnfinishedMessage } from '../../../client/unfinished-message.ts';
import { realClock } from '../../../clock.ts';
import { YodelError } from '../../../errors.ts';
import type { Message } from '../../../framing/message.ts';
import { reconnectOptions } from '../../../options.ts';

/** What a link reports. */
export interface LinkEvents {
  /** Connected. */
  readonly open: () => void;
  /** A message was received. When this returns a promise, the next message waits for it. */
  readonly message: (message: Message) => Promise<void> | undefined;
  /** Bytes were received, of messages or of the beginning of one. */
  readonly arrived: () => void;
  /** The connection was lost, or an attempt to connect failed. */
  readonly lost: (loss: Loss) => void;
}

/** How a connection was lost. */
export interface Loss {
  /** Undefined when the server ended the connection cleanly, or if it was closed from this side. */
  readonly error: YodelError | undefined;
  /** Whether it was closed from this side. */
  readonly wasRequested: boolean;
  /** Whether no attempt to reconnect follows. */
  readonly isFinal: boolean;
}

/**
 * The connection of a conversation. With `keepsTrying` it retries until it is connected, and reconnects; without, it connects
 * once, and again only on {@link reconnect}.
 *
 * It creates a client for each connection instead of using the option `reconnect`, so that all messages of a connection are
 * shown before its loss is reported, and the conversation can start without a connection.
 */
export class Link {
  readonly #address: Address;
  readonly #options: ConnectOptions;
  readonly #keepsTrying: boolean;
  readonly #events: LinkEvents;
  readonly #reconnector: Reconnector;
  #client: Client | undefined;
  #isOver = false;
  /** {@link reconnect} was called, and no attempt has begun since. */
  #isReconnectRequested = false;

  constructor(address: Address, options: ConnectOptions, keepsTrying: boolean, events: LinkEvents) {
    this.#address = address;
    this.#options = { ...options, onReceived: () => events.arrived() };
    this.#keepsTrying = keepsTrying;
    this.#events = events;
    const { minDelay, maxDelay } = reconnectOptions;
    const limits = {
      minDelay: minDelay.default,
      maxDelay: maxDelay.default,
      maxAttempts: keepsTrying ? 0 : 1,
    };
    this.#reconnector = new Reconnector(limits, realClock);
  }

  /** Connects for the first time. @throws YodelError when that fails and it does not keep trying */
  async connect(): Promise<void> {
    if (!this.#keepsTrying) return await this.#open(undefined);
    this.#reconnector.retryNow();
    await this.#reconnect();
  }

  /** Receives messages. Resolves when the connection is lost for the last time. */
  async run(): Promise<void> {
    while (this.#client) {
      await this.#receive(this.#client);
      if (this.#isOver || !(this.#keepsTrying || this.#isReconnectRequested)) return;
      await this.#reconnect();
    }
  }

  /** The client, while it is connected and may send. */
  get client(): Client | undefined {
    return this.#client?.state === 'open' ? this.#client : undefined;
  }

  /** The message of which only the beginning has been received; also while its loss is reported. */
  get unfinished(): UnfinishedMessage | undefined {
    return this.#client?.unfinished;
  }

  /** Closes the connection, if there is one, and connects again at once. */
  reconnect(): void {
    this.#isReconnectRequested = true;
    this.#client?.abort();
    this.#reconnector.retryNow();
  }

  /** Ends this side. Messages are received until the server ends its side. */
  end(): void {
    this.#isOver = true;
    this.#client?.end();
    this.#reconnector.cancel();
  }

  /** Closes the connection at once. */
  abort(): void {
    this.#isOver = true;
    this.#client?.abort();
    this.#reconnector.cancel();
  }

  async #reconnect(): Promise<void> {
    await this.#reconnector.connect(
      (signal) => this.#open(signal),
      (error) => this.#reportLoss(error),
    );
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    this.#isReconnectRequested = false;
    this.#client = await connect(this.#address, { ...this.#options, signal });
    this.#events.open();
  }

  async #receive(client: Client): Promise<void> {
    let failure: YodelError | undefined;
    try {
      for await (const message of client) await this.#events.message(message);
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      failure = error;
    }
    this.#reconnector.lost({ hasReceived: client.counters.messagesReceived > 0, hasAnswered: false });
    this.#reportLoss(failure);
    this.#client = undefined;
    await client.closed;
  }

  #reportLoss(failure: YodelError | undefined): void {
    const wasRequested = this.#isOver || this.#isReconnectRequested;
    const isFinal = this.#isOver || !(this.#keepsTrying || this.#isReconnectRequested);
    this.#events.lost({ error: this.#isReconnectRequested ? undefined : failure, wasRequested, isFinal });
  }
}
