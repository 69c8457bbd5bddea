/**
 * Turns of nodes that append to the same room at once.
 *
 * Where one node appends again as soon as it can, the others lose every time: they have to read first what it has appended. A node
 * that has lost twice asks the others to wait, and they do before their next batch, for about as long as it takes to append one.
 * Meanwhile their messages gather, and are appended together.
 */
import { realClock } from '../../clock.ts';

/** How long a node waits at most. */
const maxPauseMs = 50;
/** Rooms in which another node has asked for its turn. More are not remembered. */
const maxRooms = 10_000;

/** See the top of the file. */
export class NatsTurns {
  readonly #tell: (room: string) => void;
  /** Until when another node has its turn. */
  readonly #until = new Map<string, number>();
  /** How long it took to append a batch recently. */
  #tookMs = 1;

  /** @param tell asks all other nodes */
  constructor(tell: (room: string) => void) {
    this.#tell = tell;
  }

  /** Resolves when this node may append to the room. */
  async wait(room: string): Promise<void> {
    for (;;) {
      const leftMs = (this.#until.get(room) ?? 0) - realClock.now();
      if (leftMs <= 0) break;
      await new Promise<void>((resolve) => realClock.after(leftMs, resolve));
    }
    this.#until.delete(room);
  }

  /** This node has appended, which took this long. */
  took(_room: string, ms: number): void {
    this.#tookMs += (ms - this.#tookMs) / 8;
  }

  /** Asks the others to wait. */
  ask(room: string): void {
    this.#tell(room);
  }

  /** Another node asks. */
  asked(room: string): void {
    if (this.#until.size >= maxRooms && !this.#until.has(room)) return;
    this.#until.set(room, realClock.now() + Math.min(maxPauseMs, 3 * this.#tookMs));
  }
}
