/** Gathers what a session or client wants to send, so that it leaves in one write. */
import { checkMessage, type Encoder } from '../framing/framing.ts';
import type { Batch, Message } from '../framing/message.ts';

/** Replies are written one after another into buffers of this size, shared by all sessions of the process. */
const slabSize = 65_536;
/** Several pieces up to this size are joined: copying them costs less than another system call. */
const joinUpTo = 65_536;

let slab = Buffer.alloc(0);
let slabUsed = 0;
/** Who wrote into the slab last: only what stands at its end can be freed. */
let lastOwner: Output | undefined;

/** Text is made bytes when so many UTF-16 units of it have come together: they fit the slab in any script. */
const mostText = 16_384;

/**
 * What is appended is held as runs: a run that continues where the last one ended, in the same buffer, makes it longer.
 * So the frames of an echo become one slice of the chunk they came in, and are not copied again. Text stays text until
 * other bytes follow it or it is taken, and is then encoded at one go: each call to encode costs more than the text does.
 */
export class Output {
  /** Runs before the one that goes on; made when there is one, which is seldom. */
  #runs: Buffer[] | undefined;
  /** Texts that were appended and are not encoded yet: one array a batch, for an old one costs V8 more for each young string. */
  #texts: string[] | undefined;
  /** Their UTF-16 units, endings included. */
  #textSize = 0;
  /** What follows each of them, for which shape, and whose they are. */
  #ending = '';
  #shape: Uint8Array | undefined;
  #encoder: Encoder | undefined;
  #source: Buffer | undefined;
  #start = 0;
  #end = 0;
  #size = 0;
  /** Where in the slab the first run of it begins that was not taken yet. */
  #slabFrom = -1;

  /** Bytes gathered and not yet taken. Text counts by its UTF-16 units until it is encoded: never too much. */
  get size(): number {
    return this.#size + this.#textSize;
  }

  /** Appends a message as a frame. @throws YodelError `YODEL_UNENCODABLE_MESSAGE`; nothing is appended then */
  appendMessage(encoder: Encoder, message: string | Uint8Array, shape: Uint8Array | undefined): void {
    checkMessage(message);
    if (this.#texts) this.#encodeTexts();
    this.#appendSealed(encoder, message, shape);
  }

  /**
   * Appends a text as a frame, which is checked later with those before and behind it: by `append…`, `writeTo`, or this.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`; what was appended before the text that is at fault stays then
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
    if (this.#textSize > mostText) this.#encodeTexts();
  }

  /** Appends a message's frame as it came. */
  appendFrame(message: Message): void {
    message.place(this);
  }

  /** Appends a batch's frames as they came. */
  appendBatch(batch: Batch): void {
    batch.place(this);
  }

  /**
   * Writes what was gathered, in as few pieces as is cheap, and says how many bytes that was.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` when a text is no message; what stood before it is written next time
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

  /** Says that nobody holds any more what was taken last: its place in the slab is free again. */
  reuse(): void {
    // Another session may have appended behind it meanwhile.
    if (this.#slabFrom !== -1 && this.#source === undefined && lastOwner === this) slabUsed = this.#slabFrom;
    this.#slabFrom = -1;
  }

  clear(): void {
    this.#texts = undefined;
    this.#textSize = 0;
    this.#runs = undefined;
    this.#source = undefined;
    this.#size = 0;
  }

  /** @internal Appends bytes that stand in `source`; they must not change. */
  append(source: Buffer, start: number, end: number): void {
    if (this.#texts) this.#encodeTexts();
    this.#appendRun(source, start, end);
  }

  /** Writes the message and what encloses it into the slab. */
  #appendSealed(encoder: Encoder, message: string | Uint8Array, shape: Uint8Array | undefined): void {
    const isText = typeof message === 'string';
    const { headerSize, trailerSize } = encoder;
    // A UTF-16 unit takes at most 3 bytes of UTF-8.
    const around = headerSize + trailerSize;
    const target =
      roomFor(message.length * (isText ? 3 : 1) + around) ??
      Buffer.allocUnsafeSlow((isText ? Buffer.byteLength(message) : message.length) + around);
    const at = target === slab ? slabUsed : 0;
    const start = at + headerSize;
    let end = start;
    if (isText) end += target.write(message, start, 'utf8');
    else {
      target.set(message, start);
      end += message.length;
    }
    this.#appendOwn(target, at, encoder.seal(target, at, end, shape));
  }

  #encodeTexts(): void {
    const texts = this.#texts as string[];
    this.#texts = undefined;
    this.#textSize = 0;
    const ending = this.#ending;
    const encoder = this.#encoder as Encoder;
    if (texts.length === 1) return this.#appendSealed(encoder, texts[0] as string, this.#shape);
    // Each of them gets its ending, the last one too.
    texts.push('');
    const text = texts.join(ending);
    texts.pop();
    const target = roomFor(text.length * 3) ?? Buffer.allocUnsafeSlow(Buffer.byteLength(text));
    const at = target === slab ? slabUsed : 0;
    const end = at + target.write(text, at, 'utf8');
    if (encoder.text?.areSealed(target, at, end, texts.length, ending)) return this.#appendOwn(target, at, end);
    // One of them is no message.
    for (const one of texts) this.#appendSealed(encoder, one, this.#shape);
  }

  /** Appends what was just written into the slab, or into a buffer of its own. */
  #appendOwn(target: Buffer, start: number, end: number): void {
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
    this.#sealRun();
    this.#source = source;
    this.#start = start;
    this.#end = end;
  }

  #sealRun(): void {
    const run = this.#takeRun();
    if (!run) return;
    this.#runs ??= [];
    this.#runs.push(run);
  }

  /** The run that goes on, which ends with this. */
  #takeRun(): Buffer | undefined {
    const source = this.#source;
    this.#source = undefined;
    if (!source || this.#end === this.#start) return undefined;
    const isWhole = this.#start === 0 && this.#end === source.length;
    return isWhole ? source : source.subarray(this.#start, this.#end);
  }
}

/** The slab with room for `atMost` bytes; nothing when they would not fit one. */
function roomFor(atMost: number): Buffer | undefined {
  if (atMost > slabSize) return undefined;
  if (atMost > slab.length - slabUsed) {
    slab = Buffer.allocUnsafeSlow(slabSize);
    slabUsed = 0;
  }
  return slab;
}
