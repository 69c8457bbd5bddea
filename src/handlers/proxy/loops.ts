/**
 * Finds proxies that connect to themselves, in this process: the connection that a session opens is the one that another session
 * serves. Each would open the next one, until nothing is left. A ring through another process cannot be seen here: the limit of
 * connections ends it.
 */
import { type Address, hostOf } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import type { Session } from '../../session/handler.ts';
import type { Connection } from '../../transport/transport.ts';

/** Connections that proxies of this process serve, and those that they opened, by the addresses of both ends. */
const served = new Map<string, Passage>();
const opened = new Map<string, Passage>();

/** The two connections of a session. */
export class Passage {
  #served: string | undefined;
  #opened: string | undefined;

  /**
   * The session begins.
   *
   * @throws YodelError `YODEL_INVALID_ADDRESS` when its client is a proxy of this process
   */
  enter({ peer, local }: Session): void {
    const ends = endsOf(peer, local);
    if (ends === undefined) return;
    if (opened.has(ends)) throw itself();
    this.#served = ends;
    served.set(ends, this);
  }

  /**
   * It has connected. The other end may have been served before this one knew its own address.
   *
   * @throws YodelError `YODEL_INVALID_ADDRESS`
   */
  connected({ handshake }: Connection): void {
    const ends = handshake && endsOf(handshake.local, handshake.remote);
    if (ends === undefined) return;
    if (served.has(ends)) throw itself();
    this.#opened = ends;
    opened.set(ends, this);
  }

  /** It is over. The same addresses may be in use again by then. */
  leave(): void {
    if (this.#served !== undefined && served.get(this.#served) === this) served.delete(this.#served);
    if (this.#opened !== undefined && opened.get(this.#opened) === this) opened.delete(this.#opened);
  }
}

/** Both ends of a connection, the same at either end. Undefined: it has no addresses. */
function endsOf(client: Address, server: Address): string | undefined {
  const from = endOf(client);
  const to = endOf(server);
  return from && to && `${from} ${to}`;
}

function endOf(address: Address): string | undefined {
  const host = hostOf(address);
  return host && `${host.replace(/^::ffff:/i, '')} ${(address as { readonly port: number }).port}`;
}

function itself(): YodelError {
  return new YodelError('YODEL_INVALID_ADDRESS', 'it is this proxy itself: give it the address of another server');
}
