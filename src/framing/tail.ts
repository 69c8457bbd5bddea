/** The unfinished end of a chunk, kept until the rest of its frame comes. Grows by powers; never concatenates. */
export class Tail {
  readonly #most: number;
  #buffer: Buffer = none;
  #length = 0;

  /** @param most the bytes that it will ever have to hold */
  constructor(most: number) {
    this.#most = most;
  }

  get length(): number {
    return this.#length;
  }

  /** What is held. A view: valid until the next call. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) this.#grow(needed);
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

  /** It grows with what has come, never with what a peer has announced. */
  #grow(needed: number): void {
    const wanted = Math.max(needed, Math.min(this.#buffer.length * 4, this.#most), 64);
    const larger = spareOf(needed, wanted) ?? Buffer.allocUnsafeSlow(wanted);
    this.#buffer.copy(larger, 0, 0, this.#length);
    giveBack(this.#buffer);
    this.#buffer = larger;
  }
}

const none = Buffer.alloc(0);

/**
 * Large buffers that are free again. A new one costs a page fault for each 4 KiB, which is more than all the copying
 * that is done into it: a message of 1 MiB takes half as long when its buffer is not new.
 */
const spares: Buffer[] = [];
/** Smaller ones come out of memory that the runtime has at hand. */
const smallestSpare = 65_536;
const mostSpares = 8;
const mostSpareBytes = 8_388_608;

/** A spare that holds `needed` bytes and is not out of proportion to what is `wanted`. */
function spareOf(needed: number, wanted: number): Buffer | undefined {
  const index = spares.findIndex(({ length }) => length >= needed && length <= wanted * 4);
  return index === -1 ? undefined : spares.splice(index, 1)[0];
}

/** Takes back a buffer that nobody looks at any more: what {@link Tail.take} gave, or any part of it. */
export function giveBack(bytes: Buffer): void {
  if (bytes.buffer.byteLength < smallestSpare || spares.length >= mostSpares) return;
  const whole = Buffer.from(bytes.buffer);
  let total = whole.length;
  for (const spare of spares) total += spare.length;
  if (total <= mostSpareBytes) spares.push(whole);
}
