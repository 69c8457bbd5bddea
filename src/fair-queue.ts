/** A queue in which keys, such as the addresses of clients, take turns: none waits for all that another has added. */
import { type Linked, LinkedSet } from './linked-set.ts';

/** Items of each key are in the order in which they were added. An item that is no longer needed can leave at any time. */
export class FairQueue<Item extends Linked<Item>> {
  /** Those of each key, which is removed with its last item. The first key is the next. */
  readonly #items = new Map<string, LinkedSet<Item>>();

  /** Whether there is nothing in it. */
  get isEmpty(): boolean {
    return this.#items.size === 0;
  }

  /** Adds an item that is in no queue. */
  add(key: string, item: Item): void {
    const known = this.#items.get(key);
    if (known) return known.add(item);
    const items = new LinkedSet<Item>();
    items.add(item);
    this.#items.set(key, items);
  }

  /** Removes an item; returns false if it is not in the queue. */
  delete(key: string, item: Item): boolean {
    const items = this.#items.get(key);
    if (!items?.delete(item)) return false;
    if (items.size === 0) this.#items.delete(key);
    return true;
  }

  /** Removes and returns the first item of the key whose turn it is. */
  shift(): Item | undefined {
    for (const [key, items] of this.#items) {
      const { first } = items;
      this.#items.delete(key);
      if (first) items.delete(first);
      if (items.size > 0) this.#items.set(key, items);
      return first;
    }
    return undefined;
  }
}
