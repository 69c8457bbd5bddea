/** Finds groups of frames of another framing, for `until`. */
import { YodelError } from '../../errors.ts';
import { DelimitedDecoder, type DelimitedFrames } from '../delimited/delimited.ts';
import type { FrameReader } from '../frames.ts';
import type { Framing } from '../framing.ts';
import { type FrameScanner, invalidFrame, ScanningDecoder, type SkipRule } from '../scanning.ts';

/** Whether the payload from `start` to `end` is the last one of its group. */
export type EndsGroup = (bytes: Buffer, start: number, end: number) => boolean;

/**
 * A group ends with the first inner message that passes the test. Only that far are inner messages looked at: each of them
 * once, whatever the chunks.
 *
 * Of an inner message that is longer than the limit of the whole group, only as many bytes as the limit are tested. So the
 * end of a group that is too long is found without keeping more than that.
 */
export class GroupScanner implements FrameScanner, SkipRule {
  readonly reader: FrameReader;
  readonly #inner: FrameScanner;
  readonly #endsGroup: EndsGroup;
  readonly #limit: number;
  /** The longest inner frame within the limit. */
  readonly #maxInner: number;
  /** Where the first inner frame that is not finished begins, from the beginning of the group. */
  #at = 0;
  /** The bytes of that frame which have been scanned, and are needed again. */
  #kept = 0;
  /** The skipped inner message is too long itself. */
  #isLong = false;
  /** The bytes of it that have not arrived, if they can be told. */
  #missing = 0;
  /** It ends the group. */
  #longIsLast = false;

  /** @param limit in bytes, of the payload of a group */
  constructor(reader: FrameReader, inner: FrameScanner, endsGroup: EndsGroup, limit: number) {
    this.reader = reader;
    this.#inner = inner;
    this.#endsGroup = endsGroup;
    this.#limit = limit;
    this.#maxInner = inner.maxFrameSize(limit);
  }

  get memory(): number | undefined {
    return this.#inner.memory;
  }

  maxFrameSize(limit: number): number {
    return this.#inner.maxFrameSize(limit);
  }

  scan(bytes: Buffer, start: number, seen: number): number {
    this.#isLong = false;
    let at = seen > start ? start + this.#at : start;
    let end = 0;
    while (at < bytes.length) {
      end = this.#scanInner(bytes, start, at, Math.max(at, seen));
      // What precedes the first frame of a group belongs to no group.
      if (end < 0 && at === start) return end;
      if (end === 0 || end > bytes.length) break;
      if (end > 0 && this.#isLast(bytes, at, end)) return end;
      at = Math.abs(end);
      end = 0;
    }
    this.#at = at - start;
    this.#kept = bytes.length - this.#keep(bytes, at, end);
    return 0;
  }

  endsWithInput(bytes: Buffer): boolean {
    const rest = bytes.subarray(this.#at);
    return (this.#inner.endsWithInput?.(rest) ?? false) && this.#isLast(rest, 0, rest.length);
  }

  /** A group's end depends on all inner frames, so skipping can continue where the scan stopped. */
  get skip(): SkipRule {
    return this;
  }

  get endSize(): number {
    return this.#kept + 1;
  }

  find(bytes: Buffer, from: number): number {
    let at = from;
    let seen = from + this.#kept;
    while (at < bytes.length) {
      const end = this.#isLong ? this.#endOfLong(bytes, at) : this.#tryInner(bytes, at, Math.max(at, seen));
      if (end === 0 || end > bytes.length) {
        at = this.#keep(bytes, at, end);
        break;
      }
      const isLast = this.#isLong ? this.#longIsLast : end > 0 && this.#isLast(bytes, at, end);
      this.#isLong = false;
      at = Math.abs(end);
      seen = at;
      if (isLast) return at;
    }
    this.#kept = bytes.length - at;
    return 0;
  }

  /** An inner frame is not finished. Returns from where on its bytes are needed again. */
  #keep(bytes: Buffer, at: number, end: number): number {
    const { length } = bytes;
    if (!this.#isLong) {
      if (length - at <= this.#maxInner) return at;
      this.#isLong = true;
      this.#longIsLast = this.#isLast(bytes, at, end === 0 ? length : end);
    }
    this.#missing = Math.max(0, end - length);
    if (end > 0) return length;
    const { skip } = this.#inner;
    if (!skip) throw invalidFrame(0, 'the end of a message inside one that is too long cannot be found');
    return Math.max(at, length - (skip.endSize - 1));
  }

  #endOfLong(bytes: Buffer, at: number): number {
    return this.#missing > 0 ? at + this.#missing : (this.#inner.skip as SkipRule).find(bytes, at);
  }

  /** While skipping: an error in bytes behind the longest possible frame does not count, as in a decoder. */
  #tryInner(bytes: Buffer, at: number, seen: number): number {
    try {
      return this.#scanInner(bytes, at, at, seen);
    } catch (error) {
      if (bytes.length - at <= this.#maxInner) throw error;
      return this.#inner.scan(bytes.subarray(0, at + this.#maxInner), at, at);
    }
  }

  /** Scans and checks one inner frame. Errors name bytes from the beginning of the group. */
  #scanInner(bytes: Buffer, start: number, at: number, seen: number): number {
    try {
      const end = this.#inner.scan(bytes, at, seen);
      if (end > 0 && end <= bytes.length) this.#inner.check?.(bytes, at, end);
      return end;
    } catch (error) {
      if (at === start || !(error instanceof YodelError)) throw error;
      const text = error.message.replace(/^at byte (\d+)/, (_, byte) => `at byte ${at - start + Number(byte)}`);
      throw new YodelError(error.code, text, { cause: error });
    }
  }

  /** Whether the group ends with the inner frame from `at` to `end`, of which at least its first bytes are there. */
  #isLast(bytes: Buffer, at: number, end: number): boolean {
    const { reader } = this.#inner;
    const start = reader.payloadStart(bytes, at, end);
    return this.#endsGroup(bytes, start, Math.min(reader.payloadEnd(bytes, at, end), start + this.#limit));
  }
}

/**
 * A scanner for one connection with this framing, which until has inside.
 *
 * @throws YodelError `YODEL_INVALID_OPTION` if its frames cannot be found one by one, or do not contain the payload as it is
 */
export function scannerOf(inner: Framing, limit: number, state: unknown): FrameScanner {
  const decoder = inner.createDecoder({ maxMessageLength: limit, onTooLong: 'close', encoding: 'binary' }, state);
  if (decoder instanceof DelimitedDecoder) return delimitedScanner(decoder.frames);
  if (decoder instanceof ScanningDecoder) {
    const { scanner } = decoder;
    if (!scanner.reader.payload && !scanner.found) return scanner;
  }
  throw new YodelError('YODEL_INVALID_OPTION', `the framing "until" cannot group messages of "${inner.name}"`);
}

/** `lines` and `delimiter` have a decoder of their own, which finds all frames of a chunk at once. This finds one. */
function delimitedScanner(frames: DelimitedFrames): FrameScanner {
  const { length } = frames.delimiter;
  const find = (bytes: Buffer, from: number) => {
    const found = frames.indexOf(bytes, from);
    return found === -1 ? 0 : found + length;
  };
  return {
    reader: frames,
    maxFrameSize: (limit) => limit + length + (frames.carriageReturn ? 1 : 0),
    // Only the last bytes that were seen may be part of the delimiter.
    scan: (bytes, start, seen) => find(bytes, Math.max(start, seen - (length - 1))),
    endsWithInput: (bytes) => bytes.length > 0,
    skip: { endSize: length, find },
  };
}
