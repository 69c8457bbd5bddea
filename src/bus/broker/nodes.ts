/** The other nodes at a broker, as far as they have told about themselves. */
import { ClockDifference } from './clock-difference.ts';
import type { Follow, NodeRoom } from './packets.ts';

/** Another node. */
export interface RemoteNode {
  readonly name: string;
  /** When it was last heard of, on the clock's `ran`. */
  heardAt: number;
  /** It has told nothing for a while: it is gone, or cut off. */
  isSilent: boolean;
  /** The rooms that it follows. It may still do so while it is silent. */
  readonly followed: Map<string, Followed>;
  /** The number of the last state that it told. */
  lastState: number;
  readonly clock: ClockDifference;
  /** Its rooms in the parts of a full state that have come so far, and the number of the next part. */
  readonly told: Set<string>;
  nextPart: number;
}

/** A room that another node follows. */
export interface Followed {
  readonly follows: Follow;
  /** The number of the last message that this node had sent there when it learned that. */
  readonly last: number;
  /** How many names of members it has. */
  readonly names: number;
}

/** Anyone with write access to the broker can claim to be any number of nodes, with any number of rooms. */
const mostNodes = 1000;
/** Rooms of all nodes, and names in them: each takes some 200 bytes of memory. */
const mostEntries = 1_000_000;

/** The nodes by name, and who follows which room. */
export class Nodes {
  readonly #nodes = new Map<string, RemoteNode>();
  /** How many nodes follow each room. */
  readonly #followers = new Map<string, number>();
  #entries = 0;

  [Symbol.iterator](): IterableIterator<RemoteNode> {
    return this.#nodes.values();
  }

  get isFull(): boolean {
    return this.#nodes.size >= mostNodes;
  }

  /** One that is silent, preferably one that has no rooms. */
  get leastNeeded(): RemoteNode | undefined {
    let found: RemoteNode | undefined;
    for (const node of this.#nodes.values()) {
      if (!node.isSilent) continue;
      if (node.followed.size === 0) return node;
      found ??= node;
    }
    return found;
  }

  get(name: string): RemoteNode | undefined {
    return this.#nodes.get(name);
  }

  add(name: string, now: number): RemoteNode {
    const node = {
      name,
      heardAt: now,
      isSilent: false,
      followed: new Map<string, Followed>(),
      lastState: 0,
      clock: new ClockDifference(),
      told: new Set<string>(),
      nextPart: 0,
    };
    this.#nodes.set(name, node);
    return node;
  }

  isFollowed(room: string): boolean {
    return this.#followers.has(room);
  }

  /** @returns whether there is space for that */
  follow(node: RemoteNode, room: string, followed: Followed): boolean {
    const known = node.followed.get(room);
    const more = entriesOf(followed) - (known ? entriesOf(known) : 0);
    if (more > 0 && this.#entries + more > mostEntries) return false;
    this.#entries += more;
    if (!known) this.#followers.set(room, (this.#followers.get(room) ?? 0) + 1);
    node.followed.set(room, followed);
    return true;
  }

  /** @returns whether no node follows it any more */
  unfollow(node: RemoteNode, room: string): boolean {
    const known = node.followed.get(room);
    if (!known) return false;
    node.followed.delete(room);
    this.#entries -= entriesOf(known);
    const left = (this.#followers.get(room) as number) - 1;
    if (left > 0) this.#followers.set(room, left);
    else this.#followers.delete(room);
    return left === 0;
  }

  /** @returns the rooms that no node follows any more */
  delete(node: RemoteNode): string[] {
    this.#nodes.delete(node.name);
    return [...node.followed.keys()].filter((room) => this.unfollow(node, room));
  }
}

function entriesOf({ names }: Followed): number {
  return 1 + names;
}

/** The rooms that the node followed, but has not named in all parts of its full state, after the last of them. */
export function missingAfter(
  node: RemoteNode,
  { part, parts }: { readonly part: number; readonly parts: number },
  rooms: ReadonlyMap<string, NodeRoom>,
): string[] {
  if (part === 0) node.told.clear();
  else if (part !== node.nextPart) node.nextPart = Number.NaN;
  if (part === 0 || part === node.nextPart) {
    node.nextPart = part + 1;
    for (const room of rooms.keys()) node.told.add(room);
  }
  if (node.nextPart !== parts) return [];
  const missing = [...node.followed.keys()].filter((room) => !node.told.has(room));
  node.told.clear();
  return missing;
}
