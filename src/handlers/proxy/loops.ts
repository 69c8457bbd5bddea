/**
 * Finds proxies that connect to themselves, in this process: the connection that a session opens is the one that another session
 * serves. Each would open the next one, until nothing is left. A ring through another process cannot be seen here: the limit of
 * connections ends it.
 */
import { type Address, hostOf } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import type { Session } from '../../session/handler.ts';
import type { Connection } from '../../transport/transport.ts';

/** The open connections of all proxies. */
export class Loops {
  /** Sessions, by the addresses of their clients' connections. */
  readonly #served = new Map<string, Session>();
  /** Sessions, by the addresses of their connections to their servers. */
  readonly #opened = new Map<string, Session>();

  /**
   * A session begins.
   *
   * @throws YodelError `YODEL_INVALID_ADDRESS` when its client is a proxy of this process
   */
  opened(session: Session): void {
    const key = keyOf(session.peer, session.local);
    if (key === undefined) return;
    if (this.#opened.has(key)) throw itself();
    this.#served.set(key, session);
  }

  /**
   * It has connected. The other end may have been served before this one knew its own address.
   *
   * @throws YodelError `YODEL_INVALID_ADDRESS`
   */
  connected(session: Session, connection: Connection): void {
    const key = upstreamKey(connection);
    if (key === undefined) return;
    if (this.#served.has(key)) throw itself();
    this.#opened.set(key, session);
  }

  /** It is over. */
  closed(session: Session, connection: Connection | undefined): void {
    forget(this.#served, keyOf(session.peer, session.local), session);
    if (connection) forget(this.#opened, upstreamKey(connection), session);
  }
}

/** Those of this process. */
export const loops: Loops = new Loops();

function forget(sessions: Map<string, Session>, key: string | undefined, session: Session): void {
  if (key !== undefined && sessions.get(key) === session) sessions.delete(key);
}

function upstreamKey({ handshake }: Connection): string | undefined {
  return handshake && keyOf(handshake.local, handshake.remote);
}

/** Both ends of a connection, the same at either end. Undefined: it has no addresses. */
function keyOf(client: Address, server: Address): string | undefined {
  const ends = [client, server].map((end) => {
    const host = hostOf(end)?.replace(/^::ffff:/i, '');
    return host === undefined ? undefined : `${host} ${(end as { readonly port: number }).port}`;
  });
  return ends.includes(undefined) ? undefined : ends.join(' ');
}

function itself(): YodelError {
  return new YodelError('YODEL_INVALID_ADDRESS', 'it is this proxy itself: give it the address of another server');
}
