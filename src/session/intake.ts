/** Decodes what a session receives, and queues the messages. */

import { memoryBesidesChunk } from '../framing/batch-memory.ts';
import { asBuffer, type Decoder, decodeChunk } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import { ownCopy } from '../framing/slices.ts';
import { Queue } from '../queue.ts';

/** A chunk of which only the beginning is decoded: it is more than one batch. */
interface PartOfChunk {
  /** What is not decoded yet. */
  rest: Buffer;
  /** The size of the memory that it is in. */
  memory: number;
  isBorrowed: boolean;
  readonly arrivedAt: number;
  /** When reading was resumed since: the peer could not send before. 0: it was not. */
  resumedAt: number;
  /** What arrived after it. */
  readonly later: Queue<{ readonly chunk: Uint8Array; readonly arrivedAt: number }>;
}

/**
 * A queue of batches in the order of arrival. The fault of a batch follows its messages.
 *
 * A peer can send chunks that are very many batches, one for each message that is discarded. So only one of them is decoded
 * before it is needed, and those who take them can pause in between.
 */
export class Intake {
  #decoder: Decoder;
  /** Usually the only batch. An array would cost an idle session space for sixteen more. */
  #first: Batch | undefined;
  #others: Batch[] | undefined;
  #bytes = 0;
  #memory = 0;
  #messageBegan = 0;
  /** There is a first batch while this is set. */
  #part: PartOfChunk | undefined;
  #hasEnded = false;

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  /** Bytes of the queued messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of memory that they keep: whole chunks, and what they cost besides their bytes. */
  get memory(): number {
    return this.#memory;
  }

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Bytes of the unfinished message. */
  get pending(): number {
    return this.#decoder.pending;
  }

  /** Bytes of memory that the decoder keeps, for the unfinished message and for its own state. */
  get pendingMemory(): number {
    const decoder = this.#decoder;
    return Math.max(decoder.pending, decoder.memory ?? 0);
  }

  /** When the first byte of the unfinished message arrived, in the time of `Clock.ran`; 0 if there is none. */
  get messageBegan(): number {
    return this.#messageBegan;
  }

  /** Decodes with another decoder from now on. Nothing may be unfinished. */
  restart(decoder: Decoder): void {
    this.#decoder = decoder;
  }

  /** The first batch of the queue. */
  get first(): Batch | undefined {
    return this.#first;
  }

  /** Whether a chunk is decoded only in part. */
  get isPartial(): boolean {
    return this.#part !== undefined;
  }

  /**
   * Takes a chunk that arrived at `now`. If it is borrowed, {@link endBorrow} must follow before its memory is reused; while
   * {@link isEmpty} is false, it must not be borrowed.
   */
  decode(chunk: Uint8Array, now: number, isBorrowed: boolean): void {
    const part = this.#part;
    if (part) {
      part.later.push({ chunk, arrivedAt: now });
      this.#bytes += chunk.length;
      this.#memory += chunk.length;
      return;
    }
    const batch = this.#decoder.decode(chunk);
    let last = this.#add(batch, isBorrowed);
    // Nearly every chunk is one batch.
    if (batch.rest && !this.#decoder.decodesAtOnce)
      return this.#decodeLater(asBuffer(batch.rest), { memory: chunk.length, isBorrowed, arrivedAt: now });
    if (batch.rest)
      for (const more of decodeChunk(this.#decoder, batch.rest)) last = this.#add(more, isBorrowed) ?? last;
    // A frame that was assembled has left the chunk. Of several batches, the last one keeps it.
    if (last && (batch.rest || last.byteLength > last.assembledLength)) {
      last.chunkMemory = chunk.length;
      last.memory += chunk.length;
      this.#memory += chunk.length;
    }
    this.#timeMessage(now, last);
  }

  #timeMessage(now: number, last: Batch | undefined): void {
    if (this.#decoder.pending === 0) this.#messageBegan = 0;
    else if (this.#messageBegan === 0 || last) this.#messageBegan = now;
  }

  /** The peer has ended: with some framings an unfinished message is complete now. */
  end(): void {
    this.#hasEnded = true;
    if (this.#part) return;
    this.#add(this.#decoder.end(), false);
    this.#messageBegan = 0;
  }

  #decodeLater(rest: Buffer, chunk: Pick<PartOfChunk, 'memory' | 'isBorrowed' | 'arrivedAt'>): void {
    this.#part = { rest, ...chunk, resumedAt: 0, later: new Queue() };
    this.#bytes += rest.length;
    this.#memory += chunk.memory;
    this.#messageBegan = 0;
    this.#decodeMore();
  }

  /** Decodes until there is a batch. */
  #decodeMore(): void {
    for (let part = this.#part; part && !this.#first; part = this.#part) {
      const batch = this.#decoder.decode(part.rest);
      const last = this.#add(batch, part.isBorrowed);
      this.#bytes += (batch.rest?.length ?? 0) - part.rest.length;
      if (batch.rest) part.rest = asBuffer(batch.rest);
      else this.#endPart(part, last);
    }
  }

  /** All of the chunk is decoded. Its last batch keeps it. */
  #endPart(part: PartOfChunk, last: Batch | undefined): void {
    this.#part = undefined;
    if (last) {
      last.chunkMemory = part.memory;
      last.memory += part.memory;
    } else this.#memory -= part.memory;
    this.#timeMessage(Math.max(part.arrivedAt, part.resumedAt), last);
    const { later } = part;
    for (let next = later.shift(); next; next = later.shift()) {
      const { chunk, arrivedAt } = next;
      this.#bytes -= chunk.length;
      this.#memory -= chunk.length;
      this.decode(chunk, Math.max(arrivedAt, part.resumedAt), false);
    }
    if (this.#hasEnded) this.end();
  }

  /** Removes the first `count` messages of the first batch. */
  take(count: number): Batch | undefined {
    const batch = this.#first;
    const isWhole = batch && count === batch.count && !batch.fault;
    const taken = isWhole ? this.#shift() : batch?.take(count);
    if (!taken) return undefined;
    this.#bytes -= taken.byteLength;
    // The chunk itself is counted with what is left of the batch.
    if (!isWhole) taken.memory = memoryBesidesChunk(taken);
    return taken;
  }

  /** Removes the first batch, all of whose messages have been taken: only its fault is left. */
  takeFault(): Batch | undefined {
    return this.#shift();
  }

  /** Copies what is queued out of the borrowed chunk, which is about to change. */
  endBorrow(): void {
    if (!this.#first) return;
    const part = this.#part;
    if (part?.isBorrowed) {
      part.rest = ownCopy(part.rest);
      part.isBorrowed = false;
      this.#memory += part.rest.length - part.memory;
      part.memory = part.rest.length;
    }
    for (const batch of this.#others ? [this.#first, ...this.#others] : [this.#first]) {
      this.#memory -= batch.memory;
      batch.endBorrow();
      this.#memory += batch.memory;
    }
  }

  /** Discards what is queued, and the unfinished message. Nothing is decoded any more. */
  drop(): void {
    this.#decoder.drop?.();
    this.#first = undefined;
    this.#others = undefined;
    this.#part = undefined;
    this.#bytes = 0;
    this.#memory = 0;
  }

  /** Restarts the unfinished message's time at `now`: the session was not reading until then. */
  restartMessageTimer(now: number): void {
    if (this.#messageBegan !== 0) this.#messageBegan = now;
    if (this.#part) this.#part.resumedAt = now;
  }

  /** Stops the unfinished message's time. */
  stopMessageTimer(): void {
    this.#messageBegan = 0;
  }

  /** Returns the batch, if it contains a message or a fault. */
  #add(batch: Batch, isBorrowed: boolean): Batch | undefined {
    if (batch.count === 0 && !batch.fault && !batch.before) return undefined;
    batch.isBorrowed = isBorrowed;
    batch.memory = memoryBesidesChunk(batch);
    this.#bytes += batch.byteLength;
    this.#memory += batch.memory;
    if (!this.#first) this.#first = batch;
    else if (this.#others) this.#others.push(batch);
    else this.#others = [batch];
    return batch;
  }

  #shift(): Batch | undefined {
    const first = this.#first;
    this.#first = this.#others?.shift();
    this.#memory -= first?.memory ?? 0;
    if (this.#part) this.#decodeMore();
    return first;
  }
}
