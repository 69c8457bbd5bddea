/** Payloads in which an escape byte precedes bytes that would otherwise have a meaning: byte stuffing, as with DLE. */
import type { FrameReader } from '../frames.ts';
import { type FrameScanner, invalidFrame, nameByte, type SkipRule } from '../scanning.ts';

/** What surrounds a payload, and the byte that escapes. */
export interface Stuffing {
  readonly start: Buffer;
  readonly end: Buffer;
  readonly gap: Buffer;
  readonly escapeByte: number;
}

/** Finds the beginning of a payload. */
type FindStart = (bytes: Buffer, from: number, stuffing: Stuffing) => number;

/**
 * Finds the end of frames with escaped payloads. Remembers up to where the unfinished frame was read, so that each byte is read
 * once; a decoder needs its own.
 */
export class EscapedScanner implements FrameScanner {
  readonly reader: FrameReader;
  readonly skip: SkipRule;
  readonly #stuffing: Stuffing;
  readonly #findStart: FindStart;
  /** Where the next byte that is not the second half of anything begins, counted from the beginning of the frame. */
  #next = 0;
  /** How many of the last bytes must be read again, because an escape or an end has begun. */
  #open = 0;

  constructor(stuffing: Stuffing, reader: FrameReader, findStart: FindStart) {
    this.#stuffing = stuffing;
    this.reader = reader;
    this.#findStart = findStart;
    const scanner = this;
    this.skip = {
      get endSize() {
        return scanner.#open + 1;
      },
      find: (bytes, from) => scanner.#findEnd(bytes, from, undefined),
    };
  }

  maxFrameSize(limit: number): number {
    const { start, end } = this.#stuffing;
    return start.length + 2 * limit + end.length;
  }

  scan(bytes: Buffer, start: number, seen: number): number {
    if (seen === start || this.#next === 0) {
      const payload = this.#findStart(bytes, start, this.#stuffing);
      this.#next = Math.max(0, payload - start);
      if (payload <= 0) return payload;
    }
    return this.#findEnd(bytes, start + this.#next, start);
  }

  /**
   * The offset after the end; 0 if it has not arrived.
   *
   * @param frameStart for the error of an escape that is none; undefined to ignore it
   */
  #findEnd(bytes: Buffer, from: number, frameStart: number | undefined): number {
    const { escapeByte, end } = this.#stuffing;
    const first = end[0] as number;
    let at = nextSpecial(bytes, from, first, escapeByte);
    for (; at < bytes.length; at = nextSpecial(bytes, at + 1, first, escapeByte)) {
      const byte = bytes[at];
      if (byte === first) {
        const matched = matchedBytes(bytes, at, end);
        if (matched === end.length) return at + end.length;
        if (at + matched === bytes.length) break;
        if (byte === escapeByte && bytes[at + 1] !== escapeByte && frameStart !== undefined) {
          const wrong = at + Math.max(1, matched);
          throw invalidFrame(
            wrong - frameStart,
            `expected ${nameByte(escapeByte)} or the rest of the end after ${nameByte(escapeByte)}, not ${nameByte(bytes[wrong])}`,
          );
        }
      }
      if (byte !== escapeByte) continue;
      if (at + 1 === bytes.length) break;
      at++;
    }
    this.#open = bytes.length - at;
    if (frameStart !== undefined) this.#next = at - frameStart;
    return 0;
  }
}

/** The offset of the first of two bytes at or after `from`; the end of the bytes if there is neither. */
function nextSpecial(bytes: Buffer, from: number, first: number, escapeByte: number): number {
  const near = Math.min(from + 32, bytes.length);
  for (let at = from; at < near; at++) if (bytes[at] === first || bytes[at] === escapeByte) return at;
  if (near === bytes.length) return near;
  // Not the other way round: the escape byte may be far away, or nowhere, in each of many frames.
  const found = bytes.indexOf(first, near);
  const end = found === -1 ? bytes.length : found;
  if (escapeByte === first) return end;
  const escaped = bytes.subarray(near, end).indexOf(escapeByte);
  return escaped === -1 ? end : near + escaped;
}

/** How many bytes at `at` are those of the end. */
function matchedBytes(bytes: Buffer, at: number, end: Buffer): number {
  let matched = 1;
  while (matched < end.length && bytes[at + matched] === end[matched]) matched++;
  return matched;
}

/** The payload from `from` to `to` without its escape bytes. */
export function unescapePayload(bytes: Buffer, from: number, to: number, escapeByte: number): Buffer {
  const payload = Buffer.allocUnsafe(to - from);
  let length = 0;
  for (let at = from; at < to; at++) {
    if (bytes[at] === escapeByte) at++;
    payload[length++] = bytes[at] as number;
  }
  return payload.subarray(0, length);
}

/** A frame with an escape byte wherever the payload needs one. */
export function escapePayload(payload: Uint8Array, { start, end, escapeByte }: Stuffing): Uint8Array {
  const isSpecial = new Uint8Array(256);
  isSpecial[escapeByte] = 1;
  if (end[0] !== escapeByte) {
    isSpecial[start[0] as number] = 1;
    isSpecial[end[0] as number] = 1;
  }
  const frame = Buffer.allocUnsafe(start.length + 2 * payload.length + end.length);
  let at = start.copy(frame);
  for (const byte of payload) {
    if (isSpecial[byte] === 1) frame[at++] = escapeByte;
    frame[at++] = byte;
  }
  at += end.copy(frame, at);
  return frame.subarray(0, at);
}
