/** What this node tells all others about itself: what has changed at once, and everything every 10 s and after a loss. */
import type { Clock, Timer } from '../../clock.ts';
import type { BusReceiver } from '../../rooms/bus.ts';
import { type Follow, type NodeRoom, type NodeState, roomSize, statePacket } from './packets.ts';

/** The bus, as its states see it. */
export interface StatesOwner {
  readonly receiver: BusReceiver;
  readonly isConnected: boolean;
  /** The rooms that this node follows, if what is sent there arrives. */
  readonly announced: ReadonlyMap<string, Follow>;
  /** @returns whether there was a connection, and space */
  publishState(packet: Buffer): boolean;
}

/** How often a node tells everything. */
const fullMs = 10_000;
/** How soon it does when another one asks, so that several are answered at once. */
const answerMs = 50;
/** Whatever others ask: full states are at most this number of bytes per millisecond. */
const fullBytesPerMs = 1000;
/** The longest state; a longer one is told in parts. */
const maxState = 131_072;

/** See the top of the file. */
export class States {
  readonly #owner: StatesOwner;
  readonly #clock: Clock;
  /** Rooms whose state is told at the end of this turn. */
  readonly #changed = new Set<string>();
  #isDue = false;
  #isNew = true;
  #last = 0;
  /** When everything is told next, the earliest time for that, and whether the others are asked for the same. */
  #full: { readonly timer: Timer; readonly at: number } | undefined;
  #earliest = 0;
  #asks = false;
  #isClosed = false;

  constructor(owner: StatesOwner, clock: Clock) {
    this.#owner = owner;
    this.#clock = clock;
  }

  tellSoon(room: string): void {
    this.#changed.add(room);
    if (this.#isDue) return;
    this.#isDue = true;
    this.#clock.soon(() => {
      if (this.#isDue) this.#tell();
    });
  }

  /** Tells what has changed, and that this node is there. */
  beat(): void {
    this.#tell({});
  }

  /** Another node wants to know everything. @param asks whether this one does, too */
  answer(asks: boolean): void {
    this.#asks ||= asks;
    this.#tellAllWithin(answerMs);
  }

  /** Tells everything, and asks the others for the same. */
  tellAll(): void {
    this.#asks = true;
    this.#tellAll();
  }

  /** Says that this node is leaving. */
  close(): void {
    this.#isClosed = true;
    this.#full?.timer.cancel();
    this.#tell({ leaves: true });
  }

  /** @param about if given, it is told even if nothing has changed */
  #tell(about?: { readonly leaves?: boolean }): void {
    this.#isDue = false;
    if (!this.#owner.isConnected || (!about && this.#changed.size === 0)) return;
    const rooms = this.#statesOf(this.#changed);
    for (const portion of portionsOf(rooms)) this.#send({ leaves: about?.leaves ?? false, rooms: portion });
  }

  #tellAllWithin(ms: number): void {
    const now = this.#clock.now();
    const at = Math.max(now + ms, this.#earliest);
    if (this.#isClosed || (this.#full && this.#full.at <= at)) return;
    this.#full?.timer.cancel();
    this.#full = { at, timer: this.#clock.after(at - now, () => this.#tellAll()) };
  }

  #tellAll(): void {
    this.#full?.timer.cancel();
    this.#full = undefined;
    this.#tellAllWithin(fullMs);
    if (!this.#owner.isConnected) return;
    const asks = this.#asks;
    this.#asks = false;
    const { announced, receiver } = this.#owner;
    const portions = portionsOf(this.#statesOf(new Set([...announced.keys(), ...receiver.numbered()])));
    let bytes = 0;
    for (const [part, portion] of portions.entries()) {
      bytes += this.#send({ asks: asks && part === 0, full: { part, parts: portions.length }, rooms: portion });
    }
    this.#earliest = this.#clock.now() + bytes / fullBytesPerMs;
  }

  #statesOf(rooms: ReadonlySet<string>): Map<string, NodeRoom> {
    const { announced, receiver } = this.#owner;
    const state = (room: string) => {
      const { last, sentAt = 0, size } = receiver.stateOf(room);
      // Each node that follows the room learns in a packet of its own where the sequence begins, before something is sent there.
      return {
        last: sentAt > 0 ? last : 0,
        sentAt,
        size,
        follows: announced.get(room) ?? 0,
        names: receiver.namesOf(room),
      };
    };
    return new Map([...rooms].map((room) => [room, state(room)]));
  }

  /** @returns the number of bytes */
  #send(state: Partial<NodeState> & Pick<NodeState, 'rooms'>): number {
    const packet = statePacket(this.#owner.receiver.node, {
      number: ++this.#last,
      time: Date.now(),
      isNew: this.#isNew,
      asks: false,
      leaves: false,
      full: undefined,
      ...state,
    });
    if (this.#owner.publishState(packet)) {
      this.#isNew = false;
      for (const room of state.rooms.keys()) this.#changed.delete(room);
    }
    return packet.length;
  }
}

/** At least one portion, each short enough for a packet. */
function portionsOf(rooms: ReadonlyMap<string, NodeRoom>): Map<string, NodeRoom>[] {
  let portion = new Map<string, NodeRoom>();
  const portions = [portion];
  let size = 0;
  for (const [room, state] of rooms) {
    size += roomSize(room, state);
    if (size > maxState) {
      portion = new Map();
      portions.push(portion);
      size = roomSize(room, state);
    }
    portion.set(room, state);
  }
  return portions;
}
