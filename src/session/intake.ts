/** What a session has received and not handled yet. */
import type { YodelError } from '../errors.ts';
import { type Decoder, decodeChunk } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';

/** Batches in the order in which they came; a fault stands behind the messages of its batch. */
export class Intake {
  readonly #decoder: Decoder;
  /** Most often the only one: an array for it would cost an idle session the room for sixteen more. */
  #first: Batch | undefined;
  #others: Batch[] = [];
  #bytes = 0;
  #messageBegan = 0;
  /** Bytes of a message that the transport keeps until it has all of it. */
  #below = 0;

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  /** Bytes of the messages that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Bytes of the message that is not finished. */
  get pending(): number {
    return this.#decoder.pending + this.#below;
  }

  /** When the first byte of the unfinished message came, in time of the clock; 0 when there is none. */
  get messageBegan(): number {
    return this.#messageBegan;
  }

  /** The batch whose turn it is. */
  get first(): Batch | undefined {
    return this.#first;
  }

  /** Takes a chunk that came at `now`. If it is borrowed, it may change once {@link keep} has been called. */
  decode(chunk: Uint8Array, now: number, isBorrowed: boolean): void {
    let completed = false;
    this.#below = 0;
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      batch.isBorrowed = isBorrowed;
      completed ||= batch.count > 0 || batch.fault !== undefined;
      this.#add(batch);
    }
    if (this.#decoder.pending === 0) this.#messageBegan = 0;
    else if (this.#messageBegan === 0 || completed) this.#messageBegan = now;
  }

  /** So many bytes of a message wait below, at `now`, until all of it has come. */
  awaits(bytes: number, now: number): void {
    this.#below = bytes;
    if (this.#messageBegan === 0) this.#messageBegan = now;
  }

  /** The peer has ended: an unfinished last message may be one after all. */
  end(): void {
    this.#add(this.#decoder.end());
    this.#messageBegan = 0;
  }

  /** Takes out the first `count` messages of the first batch. */
  take(count: number): Batch | undefined {
    const batch = this.#first;
    const isWhole = batch && count === batch.count && !batch.fault;
    const taken = isWhole ? this.#shift() : batch?.take(count);
    this.#bytes -= taken?.byteLength ?? 0;
    return taken;
  }

  /** Takes out the first batch, whose messages have all been taken, and gives what is wrong behind them. */
  takeFault(): YodelError | undefined {
    return this.#shift()?.fault;
  }

  /** Copies what waits, so that it may outlive the chunk it came in. */
  keep(): void {
    this.#first?.keep();
    for (const batch of this.#others) batch.keep();
  }

  /** Forgets what waits. */
  drop(): void {
    this.#first = undefined;
    this.#others = [];
    this.#bytes = 0;
  }

  /** The peer could not go on until `now`: its unfinished message has all its time again. */
  excuse(now: number): void {
    if (this.#messageBegan !== 0) this.#messageBegan = now;
  }

  /** The unfinished message is given up. */
  forgetUnfinished(): void {
    this.#messageBegan = 0;
  }

  #add(batch: Batch): void {
    if (batch.count === 0 && !batch.fault) return;
    if (this.#first) this.#others.push(batch);
    else this.#first = batch;
    this.#bytes += batch.byteLength;
  }

  #shift(): Batch | undefined {
    const first = this.#first;
    this.#first = this.#others.length > 0 ? this.#others.shift() : undefined;
    return first;
  }
}
