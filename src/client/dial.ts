/**
 * Connects within a time limit. Every client in yodel connects with this, except the proxy handler: `handlers/` is below
 * `client/`, so `handlers/proxy.ts` connects on its own.
 */
import type { Address } from '../address.ts';
import { type Clock, realClock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type { Connection, DialOptions, TlsOptions, Transport } from '../transport/transport.ts';

/** How to connect. */
export interface DialSettings {
  /** Time limit in milliseconds; 0 leaves it to the operating system. */
  readonly timeoutMs: number;
  readonly tls: TlsOptions;
  /** In milliseconds; see the option of `connect()`, whose default it has. */
  readonly keepAlive?: number | undefined;
  /** For WebSocket, in milliseconds; see the option of `connect()`, whose default it has. */
  readonly pingInterval?: number | undefined;
  /** For `exec:`; see `DialOptions.stderr`. */
  readonly stderr?: DialOptions['stderr'];
  /** Aborts the attempt. */
  readonly signal?: AbortSignal | undefined;
  /** Default: TCP, TLS, Unix sockets and WebSocket of this runtime. */
  readonly transport?: Transport | undefined;
  /** Default: real time. */
  readonly clock?: Clock | undefined;
}

/**
 * Resolves when connected.
 *
 * @throws YodelError `YODEL_CONNECT_TIMEOUT`; others as `Transport.connect`; the signal's reason when it is aborted
 */
export async function dial(address: Address, settings: DialSettings): Promise<Connection> {
  const { timeoutMs, signal, transport = runtimeTransport, clock = realClock, ...options } = settings;
  const timeout = new AbortController();
  const expire = () => {
    const text = `cannot connect to ${address}: no answer within ${timeoutMs} ms (connectTimeout)`;
    timeout.abort(new YodelError('YODEL_CONNECT_TIMEOUT', text));
  };
  const timer = timeoutMs === 0 ? undefined : clock.deadline(timeoutMs, expire);
  const either = signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal;
  return await transport.connect(address, { ...options, clock, signal: either }).finally(() => timer?.cancel());
}

/** Closes a connection that is no longer needed, before it was started. */
export function releaseUnused(connection: Connection): void {
  connection.start({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
  connection.release();
}
