/** Which messages belong to which items of an `@unordered` block: a maximum matching, found message by message. */

/** A message that is expected at any place of its block. */
export interface UnorderedItem<Item> {
  readonly item: Item;
  readonly isOptional: boolean;
}

/**
 * Assigns messages to items. Each new message takes a free item, or one whose message can take another (Kuhn's algorithm), so
 * that as many messages as possible have an item, whatever their order. Required items go before optional ones.
 */
export class UnorderedMatching<Item, Received> {
  readonly #items: readonly UnorderedItem<Item>[];
  readonly #test: (item: Item, message: Received) => boolean;
  /** For each message, the items that match it: required ones first. */
  readonly #candidates: number[][] = [];
  /** For each item, the index of its message. */
  readonly #messageOf: (number | undefined)[];

  constructor(items: readonly UnorderedItem<Item>[], test: (item: Item, message: Received) => boolean) {
    this.#items = items;
    this.#test = test;
    this.#messageOf = items.map(() => undefined);
  }

  /** The number of messages added. */
  get length(): number {
    return this.#candidates.length;
  }

  /** Adds a message. Returns whether it has an item now; those before it keep having one. */
  add(message: Received): boolean {
    const found = [...this.#items.keys()].filter((index) => this.#test(this.#item(index).item, message));
    const required = found.filter((index) => !this.#item(index).isOptional);
    this.#candidates.push([...required, ...found.filter((index) => this.#item(index).isOptional)]);
    const hasItem = this.#assign(this.#candidates.length - 1, new Set());
    for (const index of this.#items.keys()) if (this.#isMissing(index)) this.#claim(index, new Set());
    return hasItem;
  }

  /** The index of the message that an item has. */
  messageOf(item: number): number | undefined {
    return this.#messageOf[item];
  }

  /** The number of required items without a message. */
  get missing(): number {
    return this.#messageOf.filter((_, index) => this.#isMissing(index)).length;
  }

  /** The number of messages without an item. */
  get unexpected(): number {
    return this.length - this.#messageOf.filter((message) => message !== undefined).length;
  }

  #isMissing(index: number): boolean {
    return this.#messageOf[index] === undefined && !this.#item(index).isOptional;
  }

  #item(index: number): UnorderedItem<Item> {
    return this.#items[index] as UnorderedItem<Item>;
  }

  /** Finds an item for a message: a free one, or one whose message finds another. */
  #assign(message: number, seen: Set<number>): boolean {
    for (const index of this.#candidates[message] ?? []) {
      if (seen.has(index)) continue;
      seen.add(index);
      const owner = this.#messageOf[index];
      if (owner !== undefined && !this.#assign(owner, seen)) continue;
      this.#messageOf[index] = message;
      return true;
    }
    return false;
  }

  /** Takes the message of an optional item for a required one, directly or by a chain of exchanges. */
  #claim(index: number, seen: Set<number>): boolean {
    for (const [other, message] of this.#messageOf.entries()) {
      if (message === undefined || seen.has(other) || !this.#candidates[message]?.includes(index)) continue;
      seen.add(other);
      if (!this.#item(other).isOptional && !this.#claim(other, seen)) continue;
      if (this.#item(other).isOptional) this.#messageOf[other] = undefined;
      this.#messageOf[index] = message;
      return true;
    }
    return false;
  }
}
