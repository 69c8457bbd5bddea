/** The connection of a conversation by hand: lost, it may be made again. */
import type { Address } from '../../address.ts';
import { type Client, connect } from '../../client/client.ts';
import type { ConnectOptions } from '../../client/options.ts';
import { YodelError } from '../../errors.ts';
import type { Message } from '../../framing/message.ts';
import { reconnectOptions } from '../../options.ts';

/** What a link tells. */
export interface LinkEvents {
  /** The connection is there. */
  readonly open: () => void;
  /** A message has come. Where it returns a promise, the next one waits for that. */
  readonly message: (message: Message) => Promise<void> | undefined;
  /** The connection is lost, or could not be made. */
  readonly lost: (loss: Loss) => void;
}

/** How a connection was lost. */
export interface Loss {
  /** None when the server ended it in good order, or when it was given up on this side. */
  readonly error: YodelError | undefined;
  /** Whether it was given up on this side. */
  readonly wasAsked: boolean;
  /** Whether none is made in its place. */
  readonly isFinal: boolean;
}

/**
 * Connects, and where that is wanted connects again: as often as it takes, with growing pauses. Not by the client's own
 * `reconnect`, for that begins with a connection that was there, and cannot be told to connect anew.
 */
export class Link {
  readonly #address: Address;
  readonly #options: ConnectOptions;
  readonly #keepsTrying: boolean;
  readonly #events: LinkEvents;
  #client: Client | undefined;
  #connecting = new AbortController();
  #attempts = 0;
  #isOver = false;
  /** Asked for by hand. */
  #again = false;
  #wake: () => void = () => undefined;

  constructor(address: Address, options: ConnectOptions, keepsTrying: boolean, events: LinkEvents) {
    this.#address = address;
    this.#options = options;
    this.#keepsTrying = keepsTrying;
    this.#events = events;
  }

  /** Connects for the first time. @throws YodelError when that fails and it is not to try again */
  async connect(): Promise<void> {
    if (this.#keepsTrying) await this.#tryAgain();
    else await this.#open();
  }

  /** Receives messages. Resolves when there is no connection any more, and none is to be made. */
  async run(): Promise<void> {
    for (;;) {
      if (this.#client) await this.#receive(this.#client);
      if (this.#isOver || !(this.#keepsTrying || this.#again)) return;
      await this.#pause();
      if (this.#isOver) return;
      await this.#tryAgain();
    }
  }

  /** Connected, and not ending: what is given to it is sent. */
  get client(): Client | undefined {
    return this.#client?.state === 'open' ? this.#client : undefined;
  }

  /** Breaks the connection off, if there is one, and connects again at once. */
  reconnect(): void {
    this.#again = true;
    this.#attempts = 0;
    this.#giveUp();
  }

  /** Sends no more; what the server still sends is received. Resolves when it has ended as well. */
  end(): void {
    this.#isOver = true;
    if (this.#client) this.#client.end();
    else this.#giveUp();
  }

  /** Breaks off. */
  abort(): void {
    this.#isOver = true;
    this.#giveUp();
  }

  #giveUp(): void {
    this.#client?.abort();
    this.#connecting.abort(new YodelError('YODEL_CONNECTION_CLOSED', 'connecting was given up'));
    this.#wake();
  }

  async #open(): Promise<void> {
    this.#again = false;
    this.#connecting = new AbortController();
    this.#client = await connect(this.#address, { ...this.#options, signal: this.#connecting.signal });
    this.#events.open();
  }

  async #receive(client: Client): Promise<void> {
    let failure: YodelError | undefined;
    try {
      for await (const message of client) {
        // A server that takes connections but says nothing counts as failing, or it would be tried without pause.
        this.#attempts = 0;
        await this.#events.message(message);
      }
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      failure = error;
    }
    this.#client = undefined;
    this.#tellLost(failure);
    await client.closed;
  }

  async #tryAgain(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.#tellLost(error);
    }
  }

  #tellLost(failure: YodelError | undefined): void {
    const wasAsked = this.#isOver || this.#again;
    const isFinal = this.#isOver || !(this.#keepsTrying || this.#again);
    this.#events.lost({ error: this.#again ? undefined : failure, wasAsked, isFinal });
  }

  /** Twice as long after each failure. */
  async #pause(): Promise<void> {
    const { minDelay, maxDelay } = reconnectOptions;
    const delay = this.#again ? 0 : Math.min(maxDelay.default, minDelay.default * 2 ** this.#attempts);
    this.#attempts++;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, delay);
    await promise;
    clearTimeout(timer);
  }
}
