/**
 * Finds proxies that connect to themselves, in this process: the connection that a session opens is the one that another session
 * serves. Each would open the next one, until nothing is left. A ring through another process cannot be seen here: the limit of
 * connections ends it.
 */
import { type Address, hostOf } from '../../address.ts';
import type { Clock } from '../../clock.ts';
import { YodelError } from '../../errors.ts';
import type { Session } from '../../session/public-session.ts';
import type { Connection } from '../../transport/transport.ts';

/** Connections that proxies of this process serve, and those that they opened, by the addresses of both ends. */
const served = new Map<string, Passage>();
const opened = new Map<string, Passage>();
/** Attempts to connect of proxies of this process: each may be the other end of a connection that is already served. */
let attempts = 0;

/** The two connections of a session. */
export class Passage {
  readonly #proxy: object;
  /** The session whose connection this one serves, if that is of a proxy of this process. */
  #from: Passage | undefined;
  #served: string | undefined;
  #opened: string | undefined;

  /** @param proxy the proxy of the session */
  constructor(proxy: object) {
    this.#proxy = proxy;
  }

  /**
   * The session begins. Resolves when it may connect. If its client may be a connection that a proxy of this process is about to
   * open, that comes first: no link is added to a chain before it is known where it begins.
   *
   * @throws YodelError `YODEL_INVALID_ADDRESS` when its client is the same proxy, perhaps through others
   */
  async enter({ peer, local }: Session, clock: Clock): Promise<void> {
    const ends = endsOf(peer, local);
    if (ends === undefined) return;
    this.#served = ends;
    served.set(ends, this);
    this.#from = opened.get(ends);
    if (!this.#from && attempts > 0) {
      // What connects and what accepts become ready together, and are delivered within two turns.
      for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => clock.soon(resolve));
    }
    for (let one = this.#from; one; one = one.#from) {
      if (one.#proxy === this.#proxy) throw itself();
    }
  }

  /** Connects, for the session. */
  async connect(dial: () => Promise<Connection>): Promise<Connection> {
    attempts++;
    try {
      const connection = await dial();
      const { handshake } = connection;
      this.#opened = handshake && endsOf(handshake.local, handshake.remote);
      if (this.#opened === undefined) return connection;
      opened.set(this.#opened, this);
      const next = served.get(this.#opened);
      if (next) next.#from = this;
      return connection;
    } finally {
      attempts--;
    }
  }

  /** It is over. The same addresses may be in use again by then. */
  leave(): void {
    if (this.#served !== undefined && served.get(this.#served) === this) served.delete(this.#served);
    if (this.#opened !== undefined && opened.get(this.#opened) === this) opened.delete(this.#opened);
    this.#from = undefined;
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
  return new YodelError(
    'YODEL_INVALID_ADDRESS',
    'it leads back to this proxy itself: give it the address of another server',
  );
}
