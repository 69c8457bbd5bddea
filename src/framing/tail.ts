/** The unfinished end of a chunk, kept until the rest of its frame comes. Doubles as it grows; never concatenates. */
export class Tail {
  #buffer: Buffer = none;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What is held. A view: valid until the next call. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) {
      // It grows with what has come, never with what a peer has announced.
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2, 64));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = needed;
  }

  /** Gives what is held away; the tail is empty then and will not touch these bytes again. */
  take(): Buffer {
    const taken = this.bytes;
    this.#buffer = none;
    this.#length = 0;
    return taken;
  }

  /** Forgets all but the last `count` bytes. */
  keepLast(count: number): void {
    if (this.#length <= count) return;
    this.#buffer.copyWithin(0, this.#length - count, this.#length);
    this.#length = count;
    if (this.#buffer.length > 4096) this.#buffer = Buffer.from(this.#buffer.subarray(0, count));
  }
}

const none = Buffer.alloc(0);
