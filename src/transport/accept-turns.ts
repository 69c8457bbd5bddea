/**
 * Shares the event loop between those who are connected and those who connect. Bun accepts connections for as long as there are
 * more in the kernel's queue. A client that reconnects as fast as it can fills that queue again meanwhile, and nobody else is
 * served. So only accepting happens then; connections are served for {@link budgetMs} in each turn of the event loop, in
 * their order. One that its peer resets while it waits costs almost nothing.
 *
 * While many do that, all wait, and serving rests after each turn: a session that is served in vain costs ten times as much as a
 * socket that leaves before, and its garbage costs everybody pauses of several milliseconds.
 */
import { type Linked, LinkedSet } from '../linked-set.ts';

/** In one turn: about ten connections. */
const budgetMs = 0.5;
/** In one turn of a flood: a few. Those whose peers have reset meanwhile end in the same turn, which takes longer than to begin. */
const floodBudgetMs = 0.1;
/** After such a turn nothing is served for this long, in milliseconds. */
const restMs = 2;
/** How many of the last sockets count: each counts this part of all before it. */
const counted = 64;
/** It is a flood if this part of them left while they waited: honest clients wait for milliseconds. */
const floodShare = 1 / 4;

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
  /** Serves a socket. Returns false if its peer has left. @param waited whether {@link AcceptTurns.accept} has returned it */
  serve(socket: Socket, waited: boolean): boolean;
  /** A socket was closed while it waited. */
  left(): void;
  /** Closes a socket that is not served, because the listener is closed. */
  refuse(socket: Socket): void;
  /** Default: in the next turn of the event loop. */
  readonly soon?: (run: () => void) => void;
  /** Default: `setTimeout`. */
  readonly after?: (ms: number, run: () => void) => void;
  /** The time in milliseconds. */
  readonly now?: () => number;
}

/** The accepted sockets of a listener that are not served yet. */
export class AcceptTurns<Socket> {
  readonly #options: AcceptTurnsOptions<Socket>;
  readonly #soon: (run: () => void) => void;
  readonly #after: (ms: number, run: () => void) => void;
  readonly #now: () => number;
  readonly #waiting = new LinkedSet<WaitingSocket<Socket>>();
  /** Milliseconds of this turn. */
  #spent = 0;
  #isTurnCounted = false;
  #isClosed = false;
  #isHurried = false;
  /** The share of the last sockets that left while they waited, from 0 to 1. */
  #leftShare = 0;
  readonly #nextTurn = (): void => this.#turn();
  readonly #endTurn = (): void => this.#turnEnded();
  readonly #closed = (waiting: WaitingSocket<Socket>): void => {
    if (!this.#waiting.delete(waiting)) return;
    this.#count(true);
    this.#options.left();
  };

  constructor(options: AcceptTurnsOptions<Socket>) {
    const { soon = (run) => void setImmediate(run), now = () => performance.now() } = options;
    const { after = (ms, run) => void setTimeout(run, ms) } = options;
    this.#options = options;
    this.#soon = soon;
    this.#after = after;
    this.#now = now;
  }

  /** The number of sockets that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** The listener closes once everything that waits is served: serving does not rest any more. */
  hurry(): void {
    this.#isHurried = true;
    this.#turn();
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
    if (this.#waiting.size === 0 && this.#spent < budgetMs && !this.#isFlood) {
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
    this.#soon(this.#endTurn);
  }

  get #isFlood(): boolean {
    return this.#leftShare >= floodShare && !this.#isHurried;
  }

  #turnEnded(): void {
    if (this.#isFlood) this.#after(restMs, this.#nextTurn);
    else this.#turn();
  }

  #turn(): void {
    this.#isTurnCounted = false;
    this.#spent = 0;
    if (this.#waiting.size === 0) return;
    this.#countTurn();
    const budget = this.#isFlood ? floodBudgetMs : budgetMs;
    while (this.#waiting.size > 0 && this.#spent < budget) this.#serveFirst();
  }

  #serveFirst(): void {
    const { first } = this.#waiting;
    if (!first) return;
    this.#waiting.delete(first);
    this.#serve(first.socket, true);
  }

  #serve(socket: Socket, waited: boolean): void {
    const began = this.#now();
    this.#count(!this.#options.serve(socket, waited));
    this.#spent += this.#now() - began;
  }

  #count(hasLeft: boolean): void {
    this.#leftShare += ((hasLeft ? 1 : 0) - this.#leftShare) / counted;
  }
}
