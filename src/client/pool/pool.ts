/** A pool of connections to one server. */
import type { Address } from '../../address.ts';
import type { MaybeCodec, Received, Sendable } from '../../codec/codec.ts';
import type { YodelError } from '../../errors.ts';
import type { OptionalValues } from '../../option-values.ts';
import type { PoolLimits } from '../../options.ts';
import type { RequestOptions } from '../../requests/request-options.ts';
import type { ClientCounters } from '../client.ts';
import type { ConnectOptions } from '../options.ts';
import type { ReadyOptions } from '../readiness.ts';

/** Options of `connectPool`: those of `connect`, for each connection, and these. */
export interface PoolOptions<C extends MaybeCodec = undefined>
  extends Omit<ConnectOptions<C>, 'onStateChange'>,
    OptionalValues<PoolLimits> {
  /**
   * Called with each message that is no reply, in order for each connection. What it throws, or rejects with, is a warning of the
   * process. It is not waited for. Default: such messages are dropped, and counted in {@link PoolCounters.messagesDropped}.
   */
  readonly onMessage?: ((message: Received<NoInfer<C>>) => void) | undefined;
}

/**
 * Several connections to one server, for programs that make many requests. Each request goes to the connection with the fewest
 * requests in flight. More connections are opened, up to `size`, while all of them have some. Lost connections are replaced, with
 * growing pauses, as `reconnect` says.
 */
export interface Pool<C extends MaybeCodec = undefined> extends AsyncDisposable {
  /** The server's address. */
  readonly address: Address;
  /** How it is now. */
  readonly health: PoolHealth;
  /** The sums over all connections, closed ones included. */
  readonly counters: PoolCounters;
  /** Resolves when the pool is closed. Never rejects. */
  readonly closed: Promise<void>;
  /** Resolves when at least one connection is open. @throws YodelError as `Client.ready` */
  ready(options?: ReadyOptions): Promise<void>;
  /**
   * Sends a request on the connection with the fewest requests in flight. It waits while none is open, or all have
   * `maxRequestsInFlight`; `timeoutMs` includes that. A request whose connection is lost is rejected, and not sent again.
   *
   * @throws YodelError as `Client.request`; `YODEL_TOO_MANY_REQUESTS` if `maxWaiting` requests wait already
   */
  request(message: Sendable<C>, options?: RequestOptions): Promise<Received<C>>;
  /**
   * Sends a message on the connection with the fewest requests in flight, and expects no reply. Messages that are sent one after
   * another may arrive in any order.
   *
   * @returns as `Client.send`
   * @throws YodelError `YODEL_NOT_CONNECTED`, `YODEL_CONNECTION_CLOSED`
   */
  send(message: Sendable<C>): boolean | YodelError;
  /** Takes no more requests, waits at most closeTimeout for those that wait or are in flight, and closes all connections. */
  close(): Promise<void>;
  /** Closes all connections at once. Requests are rejected. */
  abort(): void;
}

/** How a pool is at this moment. */
export interface PoolHealth {
  /** Connections that can send. */
  readonly open: number;
  /** Connections that are being opened, or replaced. */
  readonly connecting: number;
  /** Requests that were sent and have no reply. */
  readonly inFlight: number;
  /** Requests that wait for a connection. */
  readonly waiting: number;
}

/** Counts of a pool. */
export interface PoolCounters extends ClientCounters {
  /** Connections that were opened, replacements included. */
  readonly connections: number;
  /** Messages that were no replies, and that nobody received. */
  readonly messagesDropped: number;
}
