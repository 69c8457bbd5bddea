/** The unfinished end of a chunk, kept until the rest of its frame arrives. Grows in powers of two; never concatenates. */
export class Tail {
  readonly #maxLength: number;
  #buffer: Buffer = none;
  #length = 0;

  /** @param maxLength the number of bytes it must be able to keep */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  get length(): number {
    return this.#length;
  }

  /** The memory that it takes: of a large buffer all of it, of others at least half. More than its bytes where there is much space. */
  get memory(): number {
    const { length } = this.#buffer;
    if (length > largeCapacity) return length;
    return length > fewBytes ? length / 2 : 0;
  }

  /** The kept bytes. A view: valid until the next call. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) this.#grow(needed);
    this.#buffer.set(bytes, this.#length);
    this.#length = needed;
  }

  /** Appends the bytes from `start` to `end`, which may be very few: a view of them costs more than copying some. */
  appendPart(bytes: Buffer, start: number, end: number): void {
    if (end - start > maxLooped) return this.append(bytes.subarray(start, end));
    const needed = this.#length + (end - start);
    if (needed > this.#buffer.length) this.#grow(needed);
    const buffer = this.#buffer;
    for (let at = start, to = this.#length; at < end; at++) buffer[to++] = bytes[at] as number;
    this.#length = needed;
  }

  /** Returns the kept bytes and empties the tail, which never touches them again. */
  take(): Buffer {
    const taken = this.bytes;
    this.#buffer = none;
    this.#length = 0;
    return taken;
  }

  /** Empties the tail and frees its memory. Nothing may use the {@link bytes} any more. */
  drop(): void {
    recycle(this.take());
  }

  /** Discards all but the last `count` bytes. */
  keepLast(count: number): void {
    if (this.#length <= count) return;
    this.#buffer.copyWithin(0, this.#length - count, this.#length);
    this.#length = count;
    if (this.#buffer.length > 4096) this.#moveTo(capacityFor(count, this.#maxLength));
  }

  /** Grows with what has arrived, never with what a peer has announced: a small buffer by four, to copy less, a large one by two. */
  #grow(needed: number): void {
    const { length } = this.#buffer;
    const grown = length < largeCapacity ? length * 4 : length * 2;
    this.#moveTo(capacityFor(Math.max(needed, Math.min(grown, this.#maxLength)), this.#maxLength));
  }

  /** All buffers are created here: {@link recycle} relies on none sharing its memory with another, as in Node's pool. */
  #moveTo(capacity: number): void {
    const buffer = spare(capacity);
    this.#buffer.copy(buffer, 0, 0, this.#length);
    recycle(this.#buffer);
    this.#buffer = buffer;
  }
}

const none = Buffer.alloc(0);
const smallestCapacity = 64;
const maxLooped = 32;
/** Buffers of this size are a part of what a connection costs. */
const fewBytes = 4096;
/** Larger ones are rare, and their free space would cost more than copying them. */
const largeCapacity = 1_048_576;
/** Of smaller ones, the garbage collector frees enough soon enough. */
const manyBytes = 65_536;

/** A power of two, so that a buffer fits later messages too, but not more than `maxLength`. */
function capacityFor(size: number, maxLength: number): number {
  return Math.max(size, Math.min(maxLength, 2 ** Math.ceil(Math.log2(size))), smallestCapacity);
}

/**
 * Free buffers by capacity, for reuse. A new buffer is memory outside the heap, which costs V8 several microseconds and
 * the kernel a page fault per 4 KiB: more than copying into it. With a spare, Node echoes a message of 16 KiB that arrives
 * in two chunks in a fifth of the time, and one of 1 MiB in half.
 */
const spares = new Map<number, Buffer[]>();
let spareBytes = 0;
/** The memory limit for all free buffers. */
const maxSpareBytes = 8_388_608;

/**
 * A buffer of at least `capacity`. A small one may be larger than asked for, if that is a spare: it is in the processor's cache,
 * and need not grow. A large one is not, so that the memory of a message depends on it alone and not on what others sent before.
 */
function spare(capacity: number): Buffer {
  const largest = Math.max(capacity, Math.min(capacity * 4, fewBytes));
  for (let size = capacity; size <= largest; size *= 2) {
    const buffer = spares.get(size)?.pop();
    if (!buffer) continue;
    spareBytes -= size;
    return buffer;
  }
  return Buffer.allocUnsafeSlow(capacity);
}

/**
 * Takes back a buffer that is no longer used: what {@link Tail.take} returned, or any part of it. A large one that is not needed
 * as a spare is freed at once. The garbage collector would do so much later: it hardly sees memory outside the heap, so that
 * a process of which a few megabytes are in use may keep hundreds.
 */
export function recycle(bytes: Buffer): void {
  const { buffer } = bytes;
  const capacity = buffer.byteLength;
  if (capacity < smallestCapacity) return;
  if (spareBytes + capacity > maxSpareBytes) {
    // Freeing costs about 10 µs.
    if (capacity >= manyBytes) (buffer as ArrayBuffer).transfer(0);
    return;
  }
  spareBytes += capacity;
  const whole = Buffer.from(bytes.buffer);
  const same = spares.get(capacity);
  if (same) same.push(whole);
  else spares.set(capacity, [whole]);
}
