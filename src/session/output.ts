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

/**
 * The texts that were appended and not encoded yet, of the output that has appended text last: an array of its own for each
 * batch, which grows with it, would cost more than the texts themselves (15 to 35 ns each).
 */
const texts: (string | undefined)[] = [];
let textsOwner: Output | undefined;

/** Text is made bytes when so many UTF-16 units of it have come together: they fit the slab in any script. */
const mostText = 16_384;

/**
 * What is appended is held as runs: a run that continues where the last one ended, in the same buffer, makes it longer.
 * So the frames of an echo become one slice of the chunk they came in, and are not copied again. Text stays text until
 * other bytes follow it or it is taken, and is then encoded at one go: each call to encode costs more than the text does.
 */
export class Output {
  #runs: Buffer[] = [];
  #text = '';
  /** How many texts are in it, and what follows each of them. */
  #textCount = 0;
  #ending = '';
  /** They themselves, when another output has appended text since. */
  #textsAside: (string | undefined)[] | undefined;
  #encoder: Encoder | undefined;
  #source: Buffer | undefined;
  #start = 0;
  #end = 0;
  #size = 0;
  /** Where in the slab the first run of it begins that was not taken yet. */
  #slabFrom = -1;

  /** Bytes gathered and not yet taken. Text counts by its UTF-16 units until it is encoded: never too much. */
  get size(): number {
    return this.#size + this.#text.length;
  }

  /** Appends a message as a frame. @throws YodelError `YODEL_UNENCODABLE_MESSAGE`; nothing is appended then */
  appendMessage(encoder: Encoder, message: string | Uint8Array, shape: Uint8Array | undefined): void {
    checkMessage(message);
    if (this.#text !== '') this.#encodeText();
    this.#appendSealed(encoder, message, shape);
  }

  /**
   * Appends a text as a frame, which is checked later with those before and behind it: by `append…`, `take`, or this.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`; what was appended before the text that is at fault stays then
   */
  appendText(encoder: Encoder, text: string, shape: Uint8Array | undefined): void {
    if (!encoder.text) return this.appendMessage(encoder, text, shape);
    const ending = encoder.text.ending(shape);
    if (ending !== this.#ending) {
      if (this.#text !== '') this.#encodeText();
      this.#ending = ending;
      this.#encoder = encoder;
    }
    if (textsOwner !== this) this.#ownTexts();
    texts[this.#textCount++] = text;
    this.#text += text + ending;
    if (this.#text.length > mostText) this.#encodeText();
  }

  /** Appends a message's frame as it came. */
  appendFrame(message: Message): void {
    message.place(this);
  }

  /** Appends a batch's frames as they came. */
  appendBatch(batch: Batch): void {
    for (const slice of batch.slices) this.append(slice as Buffer, 0, slice.length);
  }

  /** Gives what was gathered, in as few pieces as is cheap. */
  take(): Buffer[] {
    if (this.#text !== '') this.#encodeText();
    this.#sealRun();
    const runs = this.#runs;
    const size = this.#size;
    this.#runs = [];
    this.#size = 0;
    return runs.length > 1 && size <= joinUpTo ? [Buffer.concat(runs, size)] : runs;
  }

  /** Says that nobody holds any more what was taken last: its place in the slab is free again. */
  reuse(): void {
    // Another session may have appended behind it meanwhile.
    if (this.#slabFrom !== -1 && this.#source === undefined && lastOwner === this) slabUsed = this.#slabFrom;
    this.#slabFrom = -1;
  }

  clear(): void {
    this.#text = '';
    this.#takeTexts();
    this.take();
  }

  /** @internal Appends bytes that stand in `source`; they must not change. */
  append(source: Buffer, start: number, end: number): void {
    if (this.#text !== '') this.#encodeText();
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

  #ownTexts(): void {
    if (textsOwner) textsOwner.#putTextsAside();
    textsOwner = this;
    const aside = this.#textsAside;
    this.#textsAside = undefined;
    for (let index = 0; index < this.#textCount; index++) texts[index] = aside?.[index];
  }

  #putTextsAside(): void {
    if (this.#textCount > 0) this.#textsAside = texts.slice(0, this.#textCount);
  }

  /** Forgets the texts. Those that `forEach` is to see are given to it before. */
  #takeTexts(forEach?: (text: string) => void): void {
    const own = textsOwner === this ? texts : (this.#textsAside ?? []);
    const count = this.#textCount;
    this.#textCount = 0;
    this.#textsAside = undefined;
    try {
      if (forEach) for (let index = 0; index < count; index++) forEach(own[index] as string);
    } finally {
      // None of them should be kept in memory by the array.
      own.fill(undefined, 0, count);
    }
  }

  #encodeText(): void {
    const text = this.#text;
    const count = this.#textCount;
    this.#text = '';
    const target = roomFor(text.length * 3) ?? Buffer.allocUnsafeSlow(Buffer.byteLength(text));
    const at = target === slab ? slabUsed : 0;
    const end = at + target.write(text, at, 'utf8');
    const encoder = this.#encoder as Encoder;
    if (encoder.text?.areSealed(target, at, end, count, this.#ending)) {
      this.#takeTexts();
      return this.#appendOwn(target, at, end);
    }
    const shape = Buffer.from(this.#ending);
    this.#takeTexts((one) => this.#appendSealed(encoder, one, shape));
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
    if (this.#source && this.#end > this.#start) {
      const isWhole = this.#start === 0 && this.#end === this.#source.length;
      this.#runs.push(isWhole ? this.#source : this.#source.subarray(this.#start, this.#end));
    }
    this.#source = undefined;
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
