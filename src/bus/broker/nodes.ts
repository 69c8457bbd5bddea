/** The other nodes at a broker, as far as they have told about themselves. */

/** Another node. */
export interface RemoteNode {
  readonly name: string;
  /** When it was last heard of, on the clock's `ran`. */
  heardAt: number;
  /** It has told nothing for a while: it is gone, or cut off. */
  isSilent: boolean;
  /** The rooms that it follows. It may still do so while it is silent. */
  readonly followed: Set<string>;
  /** Its rooms in the parts of a full state that have come so far, and the number of the next part. */
  readonly told: Set<string>;
  nextPart: number;
}

/** The nodes by name, and who follows which room. */
export class Nodes {
  readonly #nodes = new Map<string, RemoteNode>();
  /** How many nodes follow each room. */
  readonly #followers = new Map<string, number>();

  [Symbol.iterator](): IterableIterator<RemoteNode> {
    return this.#nodes.values();
  }

  get(name: string): RemoteNode | undefined {
    return this.#nodes.get(name);
  }

  add(name: string, now: number): RemoteNode {
    const node = {
      name,
      heardAt: now,
      isSilent: false,
      followed: new Set<string>(),
      told: new Set<string>(),
      nextPart: 0,
    };
    this.#nodes.set(name, node);
    return node;
  }

  isFollowed(room: string): boolean {
    return this.#followers.has(room);
  }

  follow(node: RemoteNode, room: string): void {
    if (node.followed.has(room)) return;
    node.followed.add(room);
    this.#followers.set(room, (this.#followers.get(room) ?? 0) + 1);
  }

  /** @returns whether no node follows it any more */
  unfollow(node: RemoteNode, room: string): boolean {
    if (!node.followed.delete(room)) return false;
    const left = (this.#followers.get(room) as number) - 1;
    if (left > 0) this.#followers.set(room, left);
    else this.#followers.delete(room);
    return left === 0;
  }

  /** @returns the rooms that no node follows any more */
  delete(node: RemoteNode): string[] {
    this.#nodes.delete(node.name);
    return [...node.followed].filter((room) => this.unfollow(node, room));
  }
}
