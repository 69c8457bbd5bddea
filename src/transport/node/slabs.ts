/** Memory for writes of borrowed bytes that are complete only later. */

/** Large enough for one whole read. */
const slabSize = 65_536;
/** Free slabs that are kept: as many as the connections of a busy server fill in one turn of the event loop. */
const mostFree = 16;

const free: Slab[] = [];
let current: Slab | undefined;

/** A piece of memory that several writes share. It is used again when all of them are complete. */
export class Slab {
  readonly #bytes = Buffer.allocUnsafeSlow(slabSize);
  #used = 0;
  #writes = 0;

  /** Whether it has space for `length` more bytes. */
  hasSpace(length: number): boolean {
    return length <= slabSize - this.#used;
  }

  /** Copies the bytes, which must fit. @returns the copy, valid until {@link release} */
  copy(bytes: Uint8Array): Uint8Array {
    const start = this.#used;
    this.#used += bytes.length;
    this.#writes++;
    this.#bytes.set(bytes, start);
    return this.#bytes.subarray(start, this.#used);
  }

  /** One of the writes is complete. */
  release(): void {
    if (--this.#writes > 0) return;
    this.#used = 0;
    if (this !== current && free.length < mostFree) free.push(this);
  }
}

/** A slab with space for `length` bytes, at most 65,536. */
export function slabFor(length: number): Slab {
  if (!current?.hasSpace(length)) current = free.pop() ?? new Slab();
  return current;
}
