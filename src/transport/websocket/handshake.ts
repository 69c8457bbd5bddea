/** One handshake of a WebSocket: its time limit and its outcome. */
import type { Clock } from '../../clock.ts';
import { handshakeTimedOut } from '../listen-errors.ts';
import type { Connection, ListenOptions, PendingConnection } from '../transport.ts';

/** One handshake. */
export interface Upgrading extends Pick<ListenOptions, 'accept' | 'handshakeTimeout'> {
  /** The server's decision about the connection, if it was asked. */
  readonly client: PendingConnection | undefined;
  readonly clock: Clock;
  /** When the first handshake began, in the time of {@link Clock.ran}: all share one time limit. */
  readonly began: number;
  failed(error: Error): void;
}

/**
 * Does a handshake, and reports its outcome.
 *
 * @param upgrade does it. `waits` says how many bytes of an unfinished request are kept
 */
export async function doHandshake(
  connection: Connection,
  upgrading: Upgrading,
  upgrade: (waits: (bytes: number) => void) => Promise<Connection>,
): Promise<void> {
  const { handshakeTimeout = 0, client, clock, began } = upgrading;
  const waits = (bytes: number) => client?.buffers(bytes, () => connection.abort());
  const limit = Promise.withResolvers<never>();
  const expire = () => limit.reject(handshakeTimedOut(handshakeTimeout));
  const left = Math.max(1, handshakeTimeout - (clock.ran() - began));
  const timer = handshakeTimeout > 0 ? clock.deadline(left, expire) : undefined;
  try {
    const upgraded = await Promise.race([upgrade(waits), limit.promise]);
    if (client) client.accepted(upgraded);
    else upgrading.accept(upgraded);
  } catch (error) {
    connection.release();
    upgrading.failed(error as Error);
  } finally {
    timer?.cancel();
  }
}
