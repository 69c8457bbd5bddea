/** Messages that end with one of several delimiters. */
import { isAscii } from 'node:buffer';
import { YodelError } from '../../errors.ts';
import { formatBytes } from '../escapes.ts';
import type { FrameReader } from '../frames.ts';
import { type Encoder, type Framing, type InPlaceEncoder, inPlace, type TextFrames } from '../framing.ts';
import type { Message } from '../message.ts';
import type { FramingId } from '../message-parts.ts';
import { type FrameScanner, ScanningDecoder } from '../scanning.ts';
import { countByte, hasByte } from './scan.ts';

/** At most this many: each is looked for. */
const most = 16;

/**
 * @internal The framing of {@link delimiter} for several delimiters.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function severalDelimiters(alternatives: readonly Buffer[]): Framing {
  checkAlternatives(alternatives);
  const name = `delimiters:${alternatives.map((bytes) => formatBytes(bytes, ',')).join(',')}`;
  const id: FramingId = { name, id: name };
  const delimiters = new Alternatives(alternatives);
  const scanner = createScanner(id, delimiters);
  return {
    ...id,
    defaultEncoding: 'utf8',
    encoder: createEncoder(id, delimiters),
    createDecoder: (options) => new ScanningDecoder(scanner, options),
  };
}

/** Delimiters of which the earliest counts, and of those that begin at the same place the longest. */
export class Alternatives {
  /** As they were given. */
  readonly all: readonly Buffer[];
  /** First those with which a message is complete at once. */
  readonly decisiveFirst: readonly Buffer[];
  /** The longest. */
  readonly maxLength: number;
  /** The length of all of them; -1 if it differs. */
  readonly commonLength: number;
  /** Bytes that make a longer delimiter of one that they follow. */
  readonly extending: ReadonlySet<number>;
  readonly #longestFirst: readonly Buffer[];
  readonly #firstBytes: readonly number[];
  readonly #isFirst = new Uint8Array(256);

  constructor(all: readonly Buffer[]) {
    this.all = all;
    const isOpen = (bytes: Buffer) => all.some((other) => other !== bytes && other.indexOf(bytes) === 0);
    this.decisiveFirst = all.toSorted((a, b) => Number(isOpen(a)) - Number(isOpen(b)));
    this.#longestFirst = all.toSorted((a, b) => b.length - a.length);
    this.maxLength = (this.#longestFirst[0] as Buffer).length;
    this.commonLength = all.every(({ length }) => length === this.maxLength) ? this.maxLength : -1;
    this.#firstBytes = [...new Set(all.map((bytes) => bytes[0] as number))];
    for (const byte of this.#firstBytes) this.#isFirst[byte] = 1;
    this.extending = new Set(
      all.filter((bytes) => beginsWithAnother(bytes, all)).map((bytes) => bytes.at(-1) as number),
    );
  }

  /** The offset after the first delimiter at or after `from`; 0 if there is none, or if it may become a longer one. */
  endOfFirst(bytes: Buffer, from: number): number {
    for (let at = this.#candidate(bytes, from); at < bytes.length; at = this.#candidate(bytes, at + 1)) {
      for (const delimiter of this.#longestFirst) {
        const matched = matchedBytes(bytes, at, delimiter);
        if (matched === delimiter.length) return at + matched;
        if (at + matched === bytes.length) return 0;
      }
    }
    return 0;
  }

  /** The first delimiter at or after `from`, if nothing follows the bytes. */
  first(bytes: Buffer, from: number): { readonly at: number; readonly delimiter: Buffer } | undefined {
    for (let at = this.#candidate(bytes, from); at < bytes.length; at = this.#candidate(bytes, at + 1)) {
      const delimiter = this.#longestFirst.find((one) => matchedBytes(bytes, at, one) === one.length);
      if (delimiter) return { at, delimiter };
    }
    return undefined;
  }

  /** The delimiter that a frame ends with. */
  last(bytes: Buffer, start: number, end: number): Buffer | undefined {
    return this.#longestFirst.find(
      (one) => end - start >= one.length && matchedBytes(bytes, end - one.length, one) === one.length,
    );
  }

  /**
   * The offset of the first byte at or after `from` that begins a delimiter; the end of the bytes if there is none. Most messages
   * are short; in long ones a search for each byte in turn is faster, in windows, because one of them may be far away.
   */
  #candidate(bytes: Buffer, from: number): number {
    const isFirst = this.#isFirst;
    const near = Math.min(from + 128, bytes.length);
    let at = from;
    for (; at < near; at++) if (isFirst[bytes[at] as number] === 1) return at;
    for (let size = 256; at < bytes.length; at += size, size *= 2) {
      const found = this.#firstIn(bytes.subarray(at, at + size));
      if (found !== -1) return at + found;
    }
    return bytes.length;
  }

  /** Where the first byte in a window is that begins a delimiter; -1 if there is none. */
  #firstIn(window: Buffer): number {
    let first = -1;
    for (const byte of this.#firstBytes) {
      const found = window.indexOf(byte);
      if (found !== -1 && (first === -1 || found < first)) first = found;
    }
    return first;
  }
}

/** How many bytes at `at` are those of a delimiter, as far as there are bytes. */
function matchedBytes(bytes: Buffer, at: number, delimiter: Buffer): number {
  let matched = 0;
  while (matched < delimiter.length && bytes[at + matched] === delimiter[matched]) matched++;
  return matched;
}

function createScanner(framing: FramingId, delimiters: Alternatives): FrameScanner {
  const { maxLength } = delimiters;
  const payloadEnd = (bytes: Buffer, start: number, end: number) =>
    end - (delimiters.last(bytes, start, end)?.length ?? 0);
  const reader: FrameReader = {
    framing,
    headerSize: 0,
    payloadStart: (_bytes, start) => start,
    payloadEnd,
    // If there are several frames, each ends with a delimiter.
    terminatorSize: () => delimiters.commonLength,
  };
  return {
    reader,
    maxFrameSize: (limit) => limit + maxLength,
    scan: (bytes, start, seen) => delimiters.endOfFirst(bytes, Math.max(start, seen - maxLength + 1)),
    endsWithInput: () => true,
    skip: { endSize: maxLength, find: (bytes, from) => delimiters.endOfFirst(bytes, from) },
  };
}

function createEncoder({ id }: FramingId, delimiters: Alternatives): Encoder {
  const { all, extending } = delimiters;
  const shapeOf = (message: Message) => {
    if (message.framing?.id !== id || message.terminatorSize === 0) return undefined;
    const terminator = message.terminator;
    return all.find((bytes) => bytes.equals(terminator));
  };
  return {
    ...inPlace(sealerOf(delimiters)),
    ...(all.every((bytes) => bytes.length === 1 && isAscii(bytes)) && { text: textFramesOf(all) }),
    shapeOf,
    sharesShape: true,
    suits(message, shape) {
      const own = shapeOf(message);
      const isExtending = extending.size > 0 && extending.has(message.frame[0] as number);
      return own !== undefined && !isExtending && (shape === undefined || own === shape);
    },
  };
}

function sealerOf(delimiters: Alternatives): InPlaceEncoder {
  const { all, decisiveFirst, extending, maxLength } = delimiters;
  return {
    headerSize: () => 0,
    trailerSize: maxLength,
    seal(target, at, start, end, shape = all[0] as Buffer) {
      // Usually the first one fits. Where the end of the payload would become part of it, another may.
      for (const delimiter of [shape, ...decisiveFirst]) {
        target.set(delimiter, end);
        const last = end + delimiter.length;
        const first = delimiters.first(target.subarray(0, last), at);
        const isExact = first?.at === end && first.delimiter.length === delimiter.length;
        if (isExact && !extending.has(target[at] as number)) return last;
      }
      throw refusal(target, start, end, delimiters);
    },
  };
}

function refusal(target: Buffer, start: number, end: number, delimiters: Alternatives): YodelError {
  const found = delimiters.first(target.subarray(0, end), start);
  const reason = found
    ? `contains the delimiter ${formatBytes(found.delimiter)} at offset ${found.at - start}, so it would arrive as two messages`
    : 'would change the delimiter before or after it';
  return new YodelError(
    'YODEL_UNENCODABLE_MESSAGE',
    `the message ${reason}; use other delimiters, or the framing "length"`,
  );
}

/** Only for single ASCII characters, as for one delimiter. */
function textFramesOf(all: readonly Buffer[]): TextFrames {
  const bytes = all.map(([byte]) => byte as number);
  return {
    ending: (shape = all[0] as Buffer) => String.fromCharCode(shape[0] as number),
    areSealed(frames, start, end, count, ending) {
      const byte = ending.charCodeAt(0);
      if (countByte(frames, byte, start, end) !== count) return false;
      return bytes.every((other) => other === byte || !hasByte(frames, other, start, end));
    },
  };
}

/** @throws YodelError `YODEL_INVALID_OPTION` */
function checkAlternatives(all: readonly Buffer[]): void {
  const refuse = (text: string): never => {
    throw new YodelError('YODEL_INVALID_OPTION', text);
  };
  if (all.length > most) refuse(`there are at most ${most} delimiters, not ${all.length}`);
  for (const [index, bytes] of all.entries()) {
    if (all.findIndex((other) => other.equals(bytes)) !== index)
      refuse(`the delimiter ${formatBytes(bytes)} occurs twice`);
    const inner = all.find((other) => other !== bytes && isInside(other, bytes, all));
    if (inner) {
      const text = `the delimiter ${formatBytes(bytes)} contains ${formatBytes(inner)}, so that bytes after a message would decide where it ends`;
      refuse(text);
    }
  }
}

/**
 * Whether one delimiter occurs in another in a way that several bytes more would decide between them. It may be the last bytes of the
 * other, or all but its last one.
 */
function isInside(inner: Buffer, outer: Buffer, all: readonly Buffer[]): boolean {
  const at = outer.indexOf(inner);
  if (at === -1 || at + inner.length === outer.length) return false;
  return at > 0 || !beginsWithAnother(outer, all);
}

/** Whether all but the last byte are a delimiter too. */
function beginsWithAnother(bytes: Buffer, all: readonly Buffer[]): boolean {
  const begun = bytes.subarray(0, -1);
  return all.some((other) => other.equals(begun));
}
