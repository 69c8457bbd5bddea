/**
 * Turns of nodes that append to the same room at once.
 *
 * A node that finds that another one was faster has to read what that one has appended, and tries again. Among nodes that are equally
 * far from the server, each succeeds about as often. But a node that is nearer, and appends without a pause, could be faster every
 * time. So a node that has lost often asks the others to wait before their next batch, for as long as it needs. What they are to
 * append meanwhile they append together afterwards.
 */
import { realClock } from '../../../clock.ts';

/** After so many losses a node asks, and after each further one. */
const patience = 4;
/** How long the others wait, in round trips of the node that asks: it reads and appends. */
const roundTrips = 3;
const maxPauseMs = 250;
/** Rooms in which another node has asked for its turn. More are not remembered. */
const maxRooms = 10_000;

/** See the top of the file. */
export class NatsTurns {
  readonly #tell: (request: string) => void;
  /** Until when another node has its turn in a room. */
  readonly #until = new Map<string, number>();

  /** @param tell tells all other nodes, which pass it to {@link asked} */
  constructor(tell: (request: string) => void) {
    this.#tell = tell;
  }

  /** Resolves when this node may append to the room: it waits once, also if others ask meanwhile. */
  async wait(room: string): Promise<void> {
    const leftMs = (this.#until.get(room) ?? 0) - realClock.now();
    if (leftMs > 0) await new Promise<void>((resolve) => realClock.after(leftMs, resolve));
    else this.#until.delete(room);
  }

  /** Another node was faster. @param roundTripMs how long the server takes to answer this node */
  lost(room: string, losses: number, roundTripMs: number): void {
    if (losses >= patience) this.#tell(`${Math.ceil(roundTripMs * roundTrips)} ${room}`);
  }

  /** Another node has asked. */
  asked(request: string): void {
    const [, ms = '', room = ''] = /^(\d{1,6}) (.{1,255})$/su.exec(request) ?? [];
    if (room === '' || (this.#until.size >= maxRooms && !this.#until.has(room))) return;
    this.#until.set(room, realClock.now() + Math.min(maxPauseMs, Number(ms)));
  }
}
