/** Bytes that wait until the operating system takes them. */
import { ownCopy } from '../framing/slices.ts';
import { Queue } from '../queue.ts';
import type { MemoryKeeper } from './transport.ts';

/** Shorter writes are copied, one after another, into blocks: a view of its own costs each of them a hundred bytes and more. */
const shortWrite = 4096;
/** The sizes of blocks. They grow with what waits, so that a few bytes do not cost much. */
const smallestBlock = 1024;
const largestBlock = 65_536;
/** Writes are not copied if they are at least this part of the memory that they keep. */
const worthKeeping = 1 / 4;

/** Adjacent bytes that wait. */
interface Block {
  readonly bytes: Buffer;
  /** Where those begin that are not taken. */
  start: number;
  end: number;
  /** Whether the block belongs to this queue alone, so that more can be added to it. */
  readonly isOwn: boolean;
}

/**
 * The output of one connection that has to wait. It costs little more than its bytes: short writes are joined, and none keeps
 * memory that is much larger than itself. Long ones are not copied; several connections may keep the same, which their
 * `keeper` learns.
 */
export class WriteQueue {
  readonly #owner: { readonly keeper: MemoryKeeper | undefined };
  readonly #blocks = new Queue<Block>();
  #last: Block | undefined;
  #length = 0;
  #memory = 0;
  /** What was taken last, until it is written. */
  #taken: Block | undefined;

  /** @param owner its keeper may be known only later */
  constructor(owner: { readonly keeper: MemoryKeeper | undefined }) {
    this.#owner = owner;
  }

  /** Bytes that are not taken. */
  get length(): number {
    return this.#length;
  }

  /** Bytes of memory that belongs to this queue alone. */
  get memory(): number {
    return this.#memory;
  }

  /** Appends bytes. @param isBorrowed whether their memory is about to change */
  push(bytes: Uint8Array, isBorrowed: boolean): void {
    const { length, buffer } = bytes;
    this.#length += length;
    if (length < shortWrite) return this.#pushShort(bytes);
    const keeps = !isBorrowed && length >= buffer.byteLength * worthKeeping;
    const kept = keeps ? Buffer.from(buffer, bytes.byteOffset, length) : ownCopy(bytes);
    this.#add({ bytes: kept, start: 0, end: length, isOwn: false });
  }

  /** The next bytes to write, at most `size`. {@link written} must follow. */
  take(size: number): Uint8Array {
    const first = this.#blocks.first as Block;
    const joined = this.#joined(size);
    const piece = joined ?? first.bytes.subarray(first.start, Math.min(first.end, first.start + size));
    this.written();
    this.#advance(piece.length);
    if (!joined) return piece;
    // The copy is being written, and not the block that was its last part.
    this.written();
    this.#taken = { bytes: joined, start: 0, end: joined.length, isOwn: true };
    this.#keep(this.#taken);
    return joined;
  }

  /** Writes as much as is accepted. @param write returns how many bytes it has accepted */
  writeTo(write: (bytes: Uint8Array) => number): void {
    for (let first = this.#blocks.first; first; first = this.#blocks.first) {
      const size = first.end - first.start;
      const accepted = write(first.bytes.subarray(first.start, first.end));
      // A failed write may have discarded everything.
      if (this.#blocks.first !== first) return;
      this.#advance(accepted);
      this.written();
      if (accepted < size) return;
    }
  }

  /** Bytes that were not in the queue are being written. {@link written} must follow. */
  writing({ buffer, byteOffset, length }: Uint8Array): void {
    this.#taken = { bytes: Buffer.from(buffer, byteOffset, length), start: 0, end: length, isOwn: false };
    this.#keep(this.#taken);
  }

  /** What was taken is written. */
  written(): void {
    if (this.#taken) this.#free(this.#taken);
    this.#taken = undefined;
  }

  /** Discards everything. */
  clear(): void {
    this.written();
    for (const block of this.#blocks.takeAll()) this.#free(block);
    this.#last = undefined;
    this.#length = 0;
  }

  #pushShort(bytes: Uint8Array): void {
    let rest = bytes;
    const last = this.#last;
    if (last?.isOwn) {
      const part = rest.subarray(0, last.bytes.length - last.end);
      last.bytes.set(part, last.end);
      last.end += part.length;
      rest = rest.subarray(part.length);
    }
    if (rest.length === 0) return;
    const size = Math.max(smallestBlock, rest.length, Math.min(largestBlock, this.#length / 2));
    const block = { bytes: Buffer.allocUnsafeSlow(Math.ceil(size)), start: 0, end: rest.length, isOwn: true };
    block.bytes.set(rest);
    this.#add(block);
  }

  #add(block: Block): void {
    this.#blocks.push(block);
    this.#last = block;
    this.#keep(block);
  }

  /** The short blocks at the front as one piece of at most `size`; undefined if there are no two. */
  #joined(size: number): Buffer | undefined {
    const limit = Math.min(size, largestBlock);
    const pieces: Buffer[] = [];
    let total = 0;
    for (const { bytes, start, end } of this.#blocks) {
      if (total + (end - start) > limit) break;
      pieces.push(bytes.subarray(start, end));
      total += end - start;
    }
    return pieces.length < 2 ? undefined : Buffer.concat(pieces, total);
  }

  /** Removes the first `count` bytes. */
  #advance(count: number): void {
    this.#length -= count;
    for (let left = count; left > 0; ) {
      const first = this.#blocks.first as Block;
      const size = Math.min(left, first.end - first.start);
      first.start += size;
      left -= size;
      if (first.start < first.end) return;
      this.#blocks.shift();
      if (this.#last === first) this.#last = undefined;
      this.written();
      this.#taken = first;
    }
  }

  #keep({ bytes, isOwn }: Block): void {
    if (isOwn) this.#memory += bytes.length;
    else this.#owner.keeper?.kept(bytes.buffer, bytes.buffer.byteLength);
  }

  #free({ bytes, isOwn }: Block): void {
    if (isOwn) this.#memory -= bytes.length;
    else this.#owner.keeper?.freed(bytes.buffer);
  }
}
