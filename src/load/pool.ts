import { type Address, parseAddress } from '../address.ts';
import { dial, releaseUnused } from '../client/dial.ts';
import { YodelError } from '../errors.ts';
import type { Connection } from '../transport/transport.ts';
import type { LoadConnection } from './connection.ts';
import type { LoadShare } from './plan.ts';
import type { Timers } from './timers.ts';

/** The maximum number of connections to open at the same time. More could overflow the server's backlog and fail. */
const maxConnecting = 100;
/**
 * The delay before a lost connection is opened again, so that a server that closes each one at once is not flooded. Unlike
 * the client's, it does not grow: a load test must keep up its load.
 */
const reconnectAfterMs = 100;

/** The owner of a pool. */
export interface PoolOwner {
  /** Whether connections are still needed. */
  readonly needsConnections: boolean;
  /** An attempt to connect failed. */
  notConnected(error: YodelError): void;
  /** Creates the load connection on a new connection, which starts to receive. */
  connected(number: number, opened: Connection): LoadConnection;
  /** The connection is in the pool. */
  ready(connection: LoadConnection): void;
}

/** The connections of one process: opens them, and reopens those that are lost. */
export class Pool {
  readonly #share: LoadShare;
  readonly #address: Address;
  readonly #owner: PoolOwner;
  readonly #timers: Timers;
  #up: readonly LoadConnection[] = [];
  /** Connections that wait for their greeting. */
  readonly #greeting = new Set<LoadConnection>();

  /** @throws YodelError `YODEL_INVALID_ADDRESS` */
  constructor(share: LoadShare, owner: PoolOwner, timers: Timers) {
    this.#share = share;
    this.#address = parseAddress(share.settings.address);
    this.#owner = owner;
    this.#timers = timers;
  }

  /** The open connections. A new list whenever they change. */
  get up(): readonly LoadConnection[] {
    return this.#up;
  }

  /** Tries to open each connection once. Resolves with the first error when every attempt failed. */
  async openAll(): Promise<YodelError | undefined> {
    let firstFailure: YodelError | undefined;
    let next = 0;
    const { connections, firstConnection } = this.#share;
    const openNext = async (): Promise<void> => {
      while (next < connections && this.#owner.needsConnections) {
        const failure = await this.#open(firstConnection + next++);
        firstFailure ??= failure;
      }
    };
    await Promise.all(Array.from({ length: Math.min(maxConnecting, connections) }, openNext));
    return this.#up.length === 0 ? firstFailure : undefined;
  }

  /** Closes all connections. */
  close(): void {
    for (const connection of [...this.#up, ...this.#greeting]) connection.close();
  }

  /** Removes a lost connection, and opens it again after a delay. Of those that wait for a greeting, {@link #greet} does so. */
  replace(connection: LoadConnection): void {
    if (this.#greeting.has(connection)) return;
    this.#up = this.#up.filter((one) => one !== connection);
    this.#openAgain(connection.number);
  }

  #openAgain(number: number): void {
    if (this.#owner.needsConnections) this.#timers.after(reconnectAfterMs, () => void this.#open(number));
  }

  async #open(number: number): Promise<YodelError | undefined> {
    if (!this.#owner.needsConnections) return undefined;
    const { connectTimeoutMs, tls } = this.#share.settings;
    try {
      await this.#take(number, await dial(this.#address, { timeoutMs: connectTimeoutMs, tls }));
      return undefined;
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.#owner.notConnected(error);
      this.#openAgain(number);
      return error;
    }
  }

  async #take(number: number, opened: Connection): Promise<void> {
    // The run may have ended in the meantime.
    if (!this.#owner.needsConnections) return releaseUnused(opened);
    const connection = this.#owner.connected(number, opened);
    if (connection.greeted) await this.#greet(connection, connection.greeted);
    if (!this.#owner.needsConnections) return connection.close();
    this.#up = [...this.#up, connection];
    this.#owner.ready(connection);
  }

  /** Waits for the greeting. @throws YodelError */
  async #greet(connection: LoadConnection, greeted: Promise<YodelError | undefined>): Promise<void> {
    const { timeoutMs } = this.#share.settings;
    this.#greeting.add(connection);
    this.#timers.after(timeoutMs, () => connection.notGreeted(noGreeting(connection.number, timeoutMs)));
    const failure = await greeted;
    this.#greeting.delete(connection);
    if (!failure) return;
    connection.close();
    throw failure;
  }
}

function noGreeting(number: number, timeoutMs: number): YodelError {
  const text =
    `the server did not send its whole greeting on connection ${number} within ${timeoutMs} ms; ` +
    'if it sends less before any request, give its number of messages with --greeting';
  return new YodelError('YODEL_REPLY_TIMEOUT', text);
}
