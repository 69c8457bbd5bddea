/**
 * Where a node's sequences begin for others that follow its rooms: the number of what it had sent last when it learned that they do.
 * It tells that once. A node that did not receive it sees a sequence of which it does not know the beginning, and asks.
 */
import type { Clock } from '../../clock.ts';
import type { BusReceiver } from '../../rooms/bus.ts';
import type { RemoteNode } from './nodes.ts';
import { asksPacket, type Follow, type Start, startsPacket } from './packets.ts';

/** The bus, as its starts see it. */
export interface StartsOwner {
  readonly receiver: BusReceiver;
  /** The rooms that this node follows. */
  readonly followed: ReadonlyMap<string, Follow>;
  /** @returns whether there was a connection, and space */
  publishTo(node: RemoteNode, packet: Buffer): boolean;
}

/** See the top of the file. */
export class Starts {
  readonly #owner: StartsOwner;
  readonly #clock: Clock;
  readonly #told = new Map<RemoteNode, Start[]>();

  constructor(owner: StartsOwner, clock: Clock) {
    this.#owner = owner;
    this.#clock = clock;
  }

  /** Tells another node where a sequence begins, with all others of this turn. */
  tellSoon(node: RemoteNode, start: Start): void {
    const told = this.#told.get(node);
    if (told) return void told.push(start);
    this.#told.set(node, [start]);
    this.#clock.soon(() => {
      const all = this.#told.get(node) ?? [];
      this.#told.delete(node);
      this.#owner.publishTo(node, startsPacket(this.#owner.receiver.node, all));
    });
  }

  /** Another node asks. If this one does not know yet that it follows a room, it asks again. */
  answer(node: RemoteNode, rooms: readonly Omit<Start, 'last'>[]): void {
    for (const { room, follows } of rooms) {
      const known = node.followed.get(room);
      if (known?.follows === follows) this.tellSoon(node, { room, follows, last: known.last });
    }
  }

  /** Another node has told where its sequences begin. */
  started(node: RemoteNode, starts: readonly Start[]): void {
    const { followed, receiver } = this.#owner;
    for (const { room, follows, last } of starts)
      if (followed.get(room) === follows) receiver.started(node.name, room, last);
  }

  /** Asks for what is not known. */
  ask(node: RemoteNode): void {
    const { followed, receiver } = this.#owner;
    const rooms: Omit<Start, 'last'>[] = [];
    for (const room of receiver.unknownStarts(node.name)) {
      const follows = followed.get(room);
      if (follows !== undefined) rooms.push({ room, follows });
    }
    if (rooms.length > 0) this.#owner.publishTo(node, asksPacket(receiver.node, rooms));
  }
}
