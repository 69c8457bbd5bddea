/**
 * Shares the event loop between those who are connected and those who connect. Bun accepts connections for as long as there are
 * more in the kernel's queue. A client that reconnects as fast as it can fills that queue again meanwhile, and nobody else is
 * served. So only accepting happens then; connections are served for {@link budgetMs} in each turn of the event loop, in
 * their order. One that its peer resets while it waits costs almost nothing.
 */
import { type Linked, LinkedSet } from '../linked-set.ts';

/** In one turn: about ten connections. */
const budgetMs = 0.5;

/** An accepted socket that waits to be served, and receives its events meanwhile. Nothing is read from it. */
export class WaitingSocket<Socket> implements Linked<WaitingSocket<Socket>> {
  memberOf: object | undefined;
  previousMember: WaitingSocket<Socket> | undefined;
  nextMember: WaitingSocket<Socket> | undefined;
  readonly socket: Socket;
  readonly #closed: (waiting: WaitingSocket<Socket>) => void;

  constructor(socket: Socket, closed: (waiting: WaitingSocket<Socket>) => void) {
    this.socket = socket;
    this.#closed = closed;
  }

  received(): void {}
  writable(): void {}
  ended(): void {}

  closed(): void {
    this.#closed(this);
  }
}

/** What to do with the sockets of a listener. */
export interface AcceptTurnsOptions<Socket> {
  /** The most that wait. If more are accepted, the first is served at once. */
  readonly most: number;
  /** Serves a socket. @param waited whether {@link AcceptTurns.accept} has returned it */
  serve(socket: Socket, waited: boolean): void;
  /** A socket was closed while it waited. */
  left(): void;
  /** Closes a socket that is not served, because the listener is closed. */
  refuse(socket: Socket): void;
  /** Default: in the next turn of the event loop. */
  readonly soon?: (run: () => void) => void;
  /** The time in milliseconds. */
  readonly now?: () => number;
}

/** The accepted sockets of a listener that are not served yet. */
export class AcceptTurns<Socket> {
  readonly #options: AcceptTurnsOptions<Socket>;
  readonly #soon: (run: () => void) => void;
  readonly #now: () => number;
  readonly #waiting = new LinkedSet<WaitingSocket<Socket>>();
  /** Milliseconds of this turn. */
  #spent = 0;
  #isTurnCounted = false;
  #isClosed = false;
  readonly #nextTurn = (): void => this.#turn();
  readonly #closed = (waiting: WaitingSocket<Socket>): void => {
    if (this.#waiting.delete(waiting)) this.#options.left();
  };

  constructor(options: AcceptTurnsOptions<Socket>) {
    const { soon = (run) => void setImmediate(run), now = () => performance.now() } = options;
    this.#options = options;
    this.#soon = soon;
    this.#now = now;
  }

  /** The number of sockets that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** The listener is closed: those that wait are not served, and neither are those that the runtime still accepts. */
  close(): void {
    this.#isClosed = true;
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      this.#options.refuse(waiting.socket);
    }
  }

  /** Serves a socket now, or returns what receives its events until it is served. */
  accept(socket: Socket): WaitingSocket<Socket> | undefined {
    if (this.#isClosed) return this.#refused(socket);
    this.#countTurn();
    if (this.#waiting.size === 0 && this.#spent < budgetMs) {
      this.#serve(socket, false);
      return undefined;
    }
    if (this.#waiting.size >= this.#options.most) this.#serveFirst();
    const waiting = new WaitingSocket(socket, this.#closed);
    this.#waiting.add(waiting);
    return waiting;
  }

  #refused(socket: Socket): WaitingSocket<Socket> {
    this.#soon(() => this.#options.refuse(socket));
    return new WaitingSocket(socket, this.#closed);
  }

  #countTurn(): void {
    if (this.#isTurnCounted) return;
    this.#isTurnCounted = true;
    this.#soon(this.#nextTurn);
  }

  #turn(): void {
    this.#isTurnCounted = false;
    this.#spent = 0;
    if (this.#waiting.size === 0) return;
    this.#countTurn();
    while (this.#waiting.size > 0 && this.#spent < budgetMs) this.#serveFirst();
  }

  #serveFirst(): void {
    const { first } = this.#waiting;
    if (!first) return;
    this.#waiting.delete(first);
    this.#serve(first.socket, true);
  }

  #serve(socket: Socket, waited: boolean): void {
    const began = this.#now();
    this.#options.serve(socket, waited);
    this.#spent += this.#now() - began;
  }
}
