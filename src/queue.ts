/** A first-in, first-out queue. */

/**
 * Used because `Array.prototype.shift` moves all remaining items, on Node even in long arrays: a hundred thousand
 * requests in flight would spend a second on it, and a million many minutes. Here only an index moves, and the space
 * before it is freed in large pieces.
 */
export class Queue<Item> {
  #items: (Item | undefined)[] = [];
  #front = 0;

  get length(): number {
    return this.#items.length - this.#front;
  }

  /** The item that {@link shift} would remove. */
  get first(): Item | undefined {
    return this.#items[this.#front];
  }

  /** The item that was added last. */
  get last(): Item | undefined {
    return this.#items.length > this.#front ? this.#items[this.#items.length - 1] : undefined;
  }

  /** The item that is removed after `index` others; undefined if there is none. */
  at(index: number): Item | undefined {
    return index < 0 ? undefined : this.#items[this.#front + index];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#front];
    this.#items[this.#front++] = undefined;
    if (this.#front > 1000 && this.#front * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#front);
      this.#front = 0;
    }
    return item;
  }

  /** Puts items before all others, in their order. */
  putBack(items: readonly Item[]): void {
    this.#items = [...items, ...this.takeAll()];
  }

  /** Removes all items and returns them. */
  takeAll(): Item[] {
    const all = this.#items.slice(this.#front) as Item[];
    this.#items = [];
    this.#front = 0;
    return all;
  }

  *[Symbol.iterator](): Iterator<Item> {
    for (let at = this.#front; at < this.#items.length; at++) yield this.#items[at] as Item;
  }
}
