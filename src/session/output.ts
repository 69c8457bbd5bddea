/** Buffers the output of a session or client, so that it is sent in one write. */
import { asBuffer, checkMessage, type Encoder } from '../framing/framing.ts';

/** Frames are written one after another into a slab of this size, shared by all sessions of the process. */
const slabSize = 65_536;
/** Several pieces are joined up to this total size: copying them costs less than another system call. */
const joinUpTo = 65_536;

let slab = Buffer.alloc(0);
let slabUsed = 0;
/** The output that wrote into the slab last: only the end of the slab can be freed. */
let lastOwner: Output | undefined;

/** Text is encoded once it has this many UTF-16 units: they fit the slab in any script. */
const maxTextSize = 16_384;

/**
 * Buffers runs of bytes. Bytes that continue the last run, in the same buffer, extend it: the frames of an echo become one
 * slice of the chunk they came in, and are not copied. Text stays text until other bytes follow it or it is written, and is
 * then encoded all at once: a call to encode costs more than the text.
 */
export class Output {
  /** Runs before the last one, if there are any, which is rare. */
  #runs: Buffer[] | undefined;
  /** Texts that are not encoded yet. One array per batch: in an array of the old generation, each new string costs more. */
  #texts: string[] | undefined;
  /** Their total size in UTF-16 units, endings included. */
  #textSize = 0;
  /** The ending of each of the texts, and the shape and encoder it belongs to. */
  #ending = '';
  #shape: Uint8Array | undefined;
  #encoder: Encoder | undefined;
  /** The last run, from `#start` to `#end` of this buffer. */
  #source: Buffer | undefined;
  #start = 0;
  #end = 0;
  #size = 0;
  /** Where this output's first run in the slab begins that is still in use; -1 if there is none. */
  #slabFrom = -1;

  /** Bytes buffered and not written yet. Text counts in UTF-16 units until it is encoded, which is never too many. */
  get size(): number {
    return this.#size + this.#textSize;
  }

  /** Appends a message as a frame. @throws YodelError `YODEL_UNENCODABLE_MESSAGE`; then nothing is appended */
  appendMessage(encoder: Encoder, message: string | Uint8Array, shape: Uint8Array | undefined): void {
    checkMessage(message);
    if (this.#texts) this.#encodeTexts();
    this.#appendSealed(encoder, message, shape);
  }

  /**
   * Appends a text as a frame. It is checked later, together with the texts around it, by `append…`, `writeTo` or this.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`; what was appended before the invalid text is kept
   */
  appendText(encoder: Encoder, text: string, shape: Uint8Array | undefined): void {
    const { text: frames } = encoder;
    if (!frames) return this.appendMessage(encoder, text, shape);
    if (shape !== this.#shape || encoder !== this.#encoder) {
      if (this.#texts) this.#encodeTexts();
      this.#encoder = encoder;
      this.#shape = shape;
      this.#ending = frames.ending(shape);
    }
    if (this.#texts) this.#texts.push(text);
    else this.#texts = [text];
    this.#textSize += text.length + this.#ending.length;
    if (this.#textSize > maxTextSize) this.#encodeTexts();
  }

  /** Encodes the texts that were appended. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` for one that is not a message */
  encodeTexts(): void {
    if (this.#texts) this.#encodeTexts();
  }

  /**
   * Writes what is buffered, in as few pieces as is cheap. Returns the number of bytes.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` if a text is not a message; what precedes it is written next time
   */
  writeTo(target: { write(bytes: Uint8Array): void }): number {
    if (this.#texts) this.#encodeTexts();
    const size = this.#size;
    const last = this.#takeRun();
    const runs = this.#runs;
    this.#runs = undefined;
    this.#size = 0;
    if (last && runs) runs.push(last);
    if (runs && size <= joinUpTo) target.write(Buffer.concat(runs, size));
    else if (runs) for (const run of runs) target.write(run);
    else if (last) target.write(last);
    return size;
  }

  /** The bytes written last are no longer used: frees their part of the slab. */
  reuse(): void {
    // Not if another output has written after them in the meantime.
    if (this.#slabFrom !== -1 && this.#source === undefined && lastOwner === this) slabUsed = this.#slabFrom;
    this.#slabFrom = -1;
  }

  /** Discards what is buffered. */
  clear(): void {
    this.#texts = undefined;
    this.#textSize = 0;
    this.#runs = undefined;
    this.#source = undefined;
    this.#size = 0;
  }

  /** @internal Appends the bytes of `source` from `start` to `end`. They must not change. */
  append(source: Buffer, start: number, end: number): void {
    if (this.#texts) this.#encodeTexts();
    this.#appendRun(source, start, end);
  }

  /** Writes the payload and what encloses it into the slab. */
  #appendSealed(encoder: Encoder, message: string | Uint8Array, shape: Uint8Array | undefined): void {
    const { inPlace } = encoder;
    const isText = typeof message === 'string';
    if (!inPlace) {
      const frame = asBuffer(encoder.encode(isText ? Buffer.from(message) : message, shape));
      return this.#appendRun(frame, 0, frame.length);
    }
    // A UTF-16 unit takes at most 3 bytes of UTF-8. Most text is ASCII, so that its header has the expected size.
    const atMost = message.length * (isText ? 3 : 1);
    const headerSize = inPlace.headerSize(message.length, shape);
    const around = (isText ? inPlace.headerSize(atMost, shape) : headerSize) + inPlace.trailerSize;
    const target =
      slabFor(atMost + around) ??
      Buffer.allocUnsafeSlow((isText ? Buffer.byteLength(message) : message.length) + around);
    const at = target === slab ? slabUsed : 0;
    let start = at + headerSize;
    let end = start;
    if (isText) end += target.write(message, start, 'utf8');
    else {
      target.set(message, start);
      end += message.length;
    }
    if (end - start !== message.length) {
      const moved = at + inPlace.headerSize(end - start, shape);
      if (moved !== start) target.copyWithin(moved, start, end);
      end += moved - start;
      start = moved;
    }
    this.#appendWritten(target, at, inPlace.seal(target, at, start, end, shape));
  }

  #encodeTexts(): void {
    const texts = this.#texts as string[];
    this.#texts = undefined;
    this.#textSize = 0;
    const ending = this.#ending;
    const encoder = this.#encoder as Encoder;
    if (texts.length === 1) return this.#appendSealed(encoder, texts[0] as string, this.#shape);
    // The last text gets an ending, too.
    texts.push('');
    const text = texts.join(ending);
    texts.pop();
    const target = slabFor(text.length * 3) ?? Buffer.allocUnsafeSlow(Buffer.byteLength(text));
    const at = target === slab ? slabUsed : 0;
    const end = at + target.write(text, at, 'utf8');
    if (encoder.text?.areSealed(target, at, end, texts.length, ending)) return this.#appendWritten(target, at, end);
    // One of them cannot be encoded, which `seal` reports.
    for (const one of texts) this.#appendSealed(encoder, one, this.#shape);
  }

  /** Appends what was just written into the slab or a separate buffer. */
  #appendWritten(target: Buffer, start: number, end: number): void {
    if (target === slab) {
      if (this.#slabFrom === -1 || lastOwner !== this || start === 0) this.#slabFrom = start;
      lastOwner = this;
      slabUsed = end;
    }
    this.#appendRun(target, start, end);
  }

  #appendRun(source: Buffer, start: number, end: number): void {
    this.#size += end - start;
    if (source === this.#source && start === this.#end) {
      this.#end = end;
      return;
    }
    this.#endRun();
    this.#source = source;
    this.#start = start;
    this.#end = end;
  }

  #endRun(): void {
    const run = this.#takeRun();
    if (!run) return;
    this.#runs ??= [];
    this.#runs.push(run);
  }

  /** Removes the last run. */
  #takeRun(): Buffer | undefined {
    const source = this.#source;
    this.#source = undefined;
    if (!source || this.#end === this.#start) return undefined;
    const isWhole = this.#start === 0 && this.#end === source.length;
    return isWhole ? source : source.subarray(this.#start, this.#end);
  }
}

/** The slab, with space for `atMost` bytes; undefined if no slab is that large. */
function slabFor(atMost: number): Buffer | undefined {
  if (atMost > slabSize) return undefined;
  if (atMost > slab.length - slabUsed) {
    slab = Buffer.allocUnsafeSlow(slabSize);
    slabUsed = 0;
  }
  return slab;
}
