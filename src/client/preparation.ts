/** Runs the function `onConnect` on a new connection. */
import type { Address } from '../address.ts';
import type { Clock } from '../clock.ts';
import type { AnyCodec } from '../codec/codec.ts';
import { isYodelError, textOfThrown, YodelError } from '../errors.ts';
import type { RequestOptions } from '../requests/request-options.ts';
import type { Handshake } from '../transport/transport.ts';
import type { NewConnection } from './client.ts';
import type { AnyClientOptions } from './client-settings.ts';

/** What sends and receives on the connection. */
export interface PreparedLink {
  readonly address: Address;
  readonly handshake: Handshake | undefined;
  readonly isReconnect: boolean;
  send(message: unknown): boolean | YodelError;
  request(message: unknown, options?: RequestOptions): Promise<unknown>;
  receive(): Promise<unknown>;
}

/** One run of `onConnect`. It is over when the function is done, or when {@link fail} is called. */
export class Preparation implements NewConnection<AnyCodec> {
  readonly #link: PreparedLink;
  readonly #failure = Promise.withResolvers<never>();
  readonly #aborter = new AbortController();
  #isOver = false;

  constructor(link: PreparedLink) {
    this.#link = link;
  }

  get address(): Address {
    return this.#link.address;
  }

  get handshake(): Handshake | undefined {
    return this.#link.handshake;
  }

  get isReconnect(): boolean {
    return this.#link.isReconnect;
  }

  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  send(message: unknown): boolean | YodelError {
    this.#check();
    return this.#link.send(message);
  }

  async request(message: unknown, options?: RequestOptions): Promise<unknown> {
    this.#check();
    return await this.#link.request(message, options);
  }

  async receive(): Promise<unknown> {
    this.#check();
    return await this.#link.receive();
  }

  /**
   * @internal Runs the function.
   *
   * @param timeoutMs 0 for no limit
   * @throws YodelError
   */
  async run(onConnect: NonNullable<AnyClientOptions['onConnect']>, timeoutMs: number, clock: Clock): Promise<void> {
    const expire = () => {
      const text = `cannot connect to ${this.address}: onConnect was not done within ${timeoutMs} ms (connectTimeout)`;
      this.fail(new YodelError('YODEL_CONNECT_TIMEOUT', text));
    };
    const timer = timeoutMs === 0 ? undefined : clock.deadline(timeoutMs, expire);
    try {
      await Promise.race([this.#call(onConnect), this.#failure.promise]);
    } finally {
      timer?.cancel();
      this.#isOver = true;
    }
  }

  /** @internal It must not go on: the connection is lost, or nobody wants it any more. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#aborter.abort(error);
    this.#failure.reject(error);
  }

  async #call(onConnect: NonNullable<AnyClientOptions['onConnect']>): Promise<void> {
    try {
      await onConnect(this);
    } catch (thrown) {
      if (isYodelError(thrown)) throw thrown;
      const text = `cannot connect to ${this.address}: onConnect failed: ${textOfThrown(thrown)}`;
      throw new YodelError('YODEL_SETUP_FAILED', text, { cause: thrown });
    }
  }

  #check(): void {
    if (!this.#isOver) return;
    throw connectionIsPrepared(this.address);
  }
}

/** The error of what is called, or waits, once `onConnect` is over. */
export function connectionIsPrepared(address: Address): YodelError {
  const text = `the connection to ${address} that onConnect prepared is lost, or prepared: use the client`;
  return new YodelError('YODEL_NOT_CONNECTED', text);
}
