import { type Address, parseAddress } from '../address.ts';
import { dial, releaseUnused } from '../client/dial.ts';
import { YodelError } from '../errors.ts';
import { formatCount } from '../format/figures.ts';
import { portsForConnections, portsInTimeWait } from '../transport/ports.ts';
import type { Connection } from '../transport/transport.ts';
import type { LoadConnection } from './connection.ts';
import { listenMs } from './latency-log.ts';
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
  /** Whether one more is needed while `opening` are being opened. */
  needsAnother(opening: number): boolean;
  /** An attempt to connect failed. */
  notConnected(error: YodelError): void;
  /** Creates the load connection on a new connection, which starts to receive. */
  connected(number: number, opened: Connection): LoadConnection;
  /** The connection ends, and is not listened to after its last reply. */
  unheard(connection: LoadConnection): void;
  /** The connection is in the pool. @param tookMs how long that took */
  ready(connection: LoadConnection, tookMs: number): void;
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
  /** Connections that have served their purpose and that the server has not ended yet, the oldest first. */
  readonly #retired: LoadConnection[] = [];
  /** One that has served its purpose, too, and is listened to: at most one, because the server may have no room for more. */
  #listened: LoadConnection | undefined;
  /** The number of connections being opened. */
  #opening = 0;

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
  async openAll(connections = this.#share.connections): Promise<YodelError | undefined> {
    let firstFailure: YodelError | undefined;
    let next = 0;
    const { firstConnection } = this.#share;
    const openNext = async (): Promise<void> => {
      while (next < connections && this.#owner.needsConnections) {
        const failure = await this.#open(firstConnection + next++);
        firstFailure ??= failure;
      }
    };
    await Promise.all(Array.from({ length: Math.min(maxConnecting, connections) }, openNext));
    return this.#up.length === 0 ? firstFailure : undefined;
  }

  /** Opens the connections after the first one, which {@link openAll} has opened. */
  openOthers(): void {
    const { connections, firstConnection } = this.#share;
    for (let index = 1; index < connections; index++) void this.#open(firstConnection + index);
  }

  /** Ends a connection that has served its purpose, and opens a new one. Some may wait for the server to end them. */
  renew(connection: LoadConnection): void {
    this.#up = this.#up.filter((one) => one !== connection);
    if (this.#listened) this.#retire(connection);
    else this.#listenTo(connection);
    void this.#open(connection.number);
  }

  #listenTo(connection: LoadConnection): void {
    this.#listened = connection;
    connection.retire(true);
    this.#timers.after(listenMs(connection.slowest), () => {
      this.#listened = undefined;
      this.#retire(connection);
    });
  }

  #retire(connection: LoadConnection): void {
    this.#owner.unheard(connection);
    connection.retire(false);
    if (this.#retired.push(connection) > this.#share.connections) this.#retired.shift()?.close();
  }

  /** The largest latency of connections that may still receive something. */
  get slowest(): number {
    const all = [...this.#up, ...this.#retired, ...(this.#listened ? [this.#listened] : [])];
    return all.reduce((most, { slowest }) => Math.max(most, slowest), 0);
  }

  /** Closes all connections. */
  close(): void {
    for (const connection of [...this.#up, ...this.#greeting, ...this.#retired]) connection.close();
    this.#listened?.close();
  }

  /** Removes a lost connection, and opens it again after a delay. */
  replace(connection: LoadConnection): void {
    this.#up = this.#up.filter((one) => one !== connection);
    this.#openAgain(connection.number);
  }

  #openAgain(number: number): void {
    if (this.#owner.needsConnections) this.#timers.after(reconnectAfterMs, () => void this.#open(number));
  }

  async #open(number: number): Promise<YodelError | undefined> {
    if (!this.#owner.needsAnother(this.#opening)) return undefined;
    const { connectTimeoutMs, tls } = this.#share.settings;
    const startedAt = performance.now();
    this.#opening++;
    try {
      const opened = await this.#greeted(number, await dial(this.#address, { timeoutMs: connectTimeoutMs, tls }));
      this.#opening--;
      if (opened) this.#add(opened, performance.now() - startedAt);
      return undefined;
    } catch (error) {
      this.#opening--;
      if (!(error instanceof YodelError)) throw error;
      const failure = error.code === 'YODEL_ADDRESS_NOT_AVAILABLE' ? withoutPorts(error) : error;
      this.#owner.notConnected(failure);
      this.#openAgain(number);
      return failure;
    }
  }

  /** Resolves when the connection can be used; with undefined if it is no longer needed. @throws YodelError */
  async #greeted(number: number, opened: Connection): Promise<LoadConnection | undefined> {
    // The run may have ended in the meantime.
    if (!this.#owner.needsConnections) {
      releaseUnused(opened);
      return undefined;
    }
    const connection = this.#owner.connected(number, opened);
    if (connection.greeted) await this.#greet(connection, connection.greeted);
    return connection;
  }

  #add(connection: LoadConnection, tookMs: number): void {
    if (connection.isOver) return;
    if (!this.#owner.needsConnections) return connection.close();
    this.#up = [...this.#up, connection];
    this.#owner.ready(connection, tookMs);
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

/** The address is that of the server; what is not available is a port of this machine. */
function withoutPorts(cause: YodelError): YodelError {
  const ports = portsForConnections();
  const waiting = portsInTimeWait();
  const has = ports === undefined ? '' : `: there are ${formatCount(ports)} for connections to one address`;
  const occupied = waiting === undefined ? '' : `, and ${formatCount(waiting)} are occupied by closed connections`;
  const text =
    `this machine has no port left for another connection${has}${occupied}. A port is free again a minute after its ` +
    'connection was closed (TIME_WAIT): use a lower --rate, a shorter run or several client addresses, or let connections live';
  return new YodelError(cause.code, text, { cause });
}
