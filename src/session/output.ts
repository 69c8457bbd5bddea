/** Gathers what a session or client wants to send, so that it leaves in one write. */
import { checkMessage, type Encoder } from '../framing/framing.ts';
import type { Batch, Message } from '../framing/message.ts';

/** Replies are written one after another into buffers of this size, shared by all sessions of the process. */
const slabSize = 65_536;
/** Several pieces up to this size are joined: copying them costs less than another system call. */
const joinUpTo = 65_536;

let slab = Buffer.alloc(0);
let slabUsed = 0;

/**
 * What is appended is held as runs: a run that continues where the last one ended, in the same buffer, makes it longer.
 * So the frames of an echo become one slice of the chunk they came in, and text replies one slice of the slab; neither
 * is copied again.
 */
export class Output {
  #runs: Buffer[] = [];
  #source: Buffer | undefined;
  #start = 0;
  #end = 0;
  #size = 0;

  /** Bytes gathered and not yet taken. */
  get size(): number {
    return this.#size;
  }

  /** Appends a message as a frame. @throws YodelError `YODEL_UNENCODABLE_MESSAGE`; nothing is appended then */
  appendMessage(encoder: Encoder, message: string | Uint8Array, shape: Uint8Array | undefined): void {
    checkMessage(message);
    const isText = typeof message === 'string';
    // A UTF-16 unit takes at most 3 bytes of UTF-8.
    const atMost = encoder.headerSize + (isText ? message.length * 3 : message.length) + encoder.trailerSize;
    const target = roomFor(atMost, isText ? message : undefined, encoder);
    const at = target === slab ? slabUsed : 0;
    const start = at + encoder.headerSize;
    let end = start;
    if (isText) end += target.write(message, start, 'utf8');
    else {
      target.set(message, start);
      end += message.length;
    }
    const frameEnd = encoder.seal(target, at, end, shape);
    if (target === slab) slabUsed = frameEnd;
    this.#append(target, at, frameEnd);
  }

  /** Appends a message's frame as it came. */
  appendFrame(message: Message): void {
    message.place((source, start, end) => this.#append(source, start, end));
  }

  /** Appends a batch's frames as they came. */
  appendBatch(batch: Batch): void {
    for (const slice of batch.slices) this.#append(slice as Buffer, 0, slice.length);
  }

  /** Gives what was gathered, in as few pieces as is cheap. */
  take(): Buffer[] {
    this.#sealRun();
    const runs = this.#runs;
    const size = this.#size;
    this.#runs = [];
    this.#size = 0;
    return runs.length > 1 && size <= joinUpTo ? [Buffer.concat(runs, size)] : runs;
  }

  clear(): void {
    this.take();
  }

  #append(source: Buffer, start: number, end: number): void {
    this.#size += end - start;
    if (source === this.#source && start === this.#end) {
      this.#end = end;
      return;
    }
    this.#sealRun();
    this.#source = source;
    this.#start = start;
    this.#end = end;
  }

  #sealRun(): void {
    if (this.#source && this.#end > this.#start) this.#runs.push(this.#source.subarray(this.#start, this.#end));
    this.#source = undefined;
  }
}

/** The slab with room for `atMost` bytes, or a buffer of its own for what would not fit one. */
function roomFor(atMost: number, text: string | undefined, encoder: Encoder): Buffer {
  if (atMost <= slab.length - slabUsed) return slab;
  if (atMost > slabSize) {
    const exact = text === undefined ? atMost : encoder.headerSize + Buffer.byteLength(text) + encoder.trailerSize;
    return Buffer.allocUnsafeSlow(exact);
  }
  slab = Buffer.allocUnsafeSlow(slabSize);
  slabUsed = 0;
  return slab;
}
