/** What waits in this process for other nodes, as a part of the server's memory limit. */
import type { MemoryLimit, MemoryUser } from '../session/memory-limit.ts';
import type { SharedMemory } from './bus.ts';

/** Counts it, and nothing else: `busBuffer` bounds it, and to end a session would not free it. */
export class BusMemory implements MemoryUser, SharedMemory {
  /** The limit disconnects only users that buffer something. */
  readonly buffered = 0;
  readonly hasPending = false;
  readonly #memoryLimit: MemoryLimit;
  #own = 0;
  readonly #sizes = new Map<object, { times: number; readonly size: number }>();

  constructor(memoryLimit: MemoryLimit) {
    this.#memoryLimit = memoryLimit;
  }

  /** @param own bytes of memory that no session and no other connection keeps */
  report(own: number): void {
    const by = own - this.#own;
    if (by === 0) return;
    this.#own = own;
    this.#memoryLimit.changed(this, by, by > 0);
  }

  kept(memory: object, size: number): void {
    const known = this.#sizes.get(memory);
    if (known) known.times++;
    else this.#sizes.set(memory, { times: 1, size });
    if (!known) this.#memoryLimit.share(memory, size);
  }

  freed(memory: object): void {
    const known = this.#sizes.get(memory);
    if (!known || --known.times > 0) return;
    this.#sizes.delete(memory);
    this.#memoryLimit.unshare(memory, known.size);
  }

  costs(): number {
    return 0;
  }

  throttle(): void {}

  disconnect(): void {}
}
