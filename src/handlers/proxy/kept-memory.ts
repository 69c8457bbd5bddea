import type { MemoryKeeper } from '../../transport/transport.ts';

/** The memory that a connection keeps besides its own: buffers that were written to it and wait. */
export class KeptMemory implements MemoryKeeper {
  bytes = 0;
  readonly #times = new Map<object, { count: number; readonly size: number }>();

  kept(memory: object, size: number): void {
    const known = this.#times.get(memory);
    if (known) known.count++;
    else {
      this.#times.set(memory, { count: 1, size });
      this.bytes += size;
    }
  }

  freed(memory: object): void {
    const known = this.#times.get(memory);
    if (!known || --known.count > 0) return;
    this.#times.delete(memory);
    this.bytes -= known.size;
  }
}
