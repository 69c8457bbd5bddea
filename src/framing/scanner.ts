/** How the frames of a framing are found, one after another. */
import { YodelError } from '../errors.ts';
import type { FrameReader } from './frames.ts';

/**
 * Finds the frames of one direction of a connection. Frames are found in order, and never look beyond their own end, unless
 * `scan` waits for more bytes before it decides.
 */
export interface FrameScanner {
  /** Reads the next frame that `scan` finds. A scanner may replace it in `found`: the rule can change after any frame. */
  readonly reader: FrameReader;
  /**
   * Where the frame at `start` ends.
   *
   * @param seen where the bytes begin that the last call for this frame did not have; `start` in the first call
   * @returns the offset after the frame; more than `bytes.length` if its length is known and the rest has not arrived; 0 if
   *   more bytes are needed to tell; below 0 if the bytes up to this offset, negated, are not part of any frame
   * @throws YodelError from {@link invalidFrame} if this is no frame
   */
  scan(bytes: Buffer, start: number, seen: number): number;
  /**
   * The longest frame of a message of `limit` bytes, under every rule that may apply until the next frame is found. A longer one
   * is refused, even if its end has not arrived. Asked again when `found` has replaced the reader.
   */
  maxFrameSize(limit: number): number;
  /** Checks a complete frame within the limits, such as its checksum. @throws YodelError from {@link invalidFrame} */
  check?(bytes: Buffer, start: number, end: number): void;
  /** A frame is complete and valid; called once for each, in order. */
  found?(bytes: Buffer, start: number, end: number): void;
  /** Whether bytes that are left when the input ends are a frame without its ending. Default: they are an unfinished frame. */
  endsWithInput?(bytes: Buffer): boolean;
  /** Bytes of memory that its own state takes, where a peer can make that grow. Default: 0. */
  readonly memory?: number | undefined;
  /** How to find the end of a message that is too long. Absent: the decoder stops after it. */
  readonly skip?: SkipRule | undefined;
}

/** Finds the end of a message whose beginning was discarded. */
export interface SkipRule {
  /**
   * The number of bytes that end a frame. One less are kept when the end was not found, and are given to `find` again before
   * those that follow them. It may be different each time.
   */
  readonly endSize: number;
  /**
   * The offset after the first end at or after `from`; 0 if there is none.
   *
   * @throws YodelError from {@link invalidFrame} if there can be none
   */
  find(bytes: Buffer, from: number): number;
}

/**
 * The error of bytes that are not a frame.
 *
 * @param offset of the first wrong byte, from the beginning of the frame
 * @param problem follows `at byte N:`, such as `expected a digit, not 0x41`
 */
export function invalidFrame(offset: number, problem: string): YodelError {
  return new YodelError('YODEL_INVALID_FRAME', `at byte ${offset + 1}: ${problem}`);
}

/** The text of whatever a framing threw. */
export function reasonOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.message}` : String(thrown);
  } catch {
    return 'an error without a text';
  }
}

/** A byte for errors: `"a" (0x61)`, or `0x00`. */
export function nameByte(byte: number | undefined): string {
  if (byte === undefined) return 'nothing';
  const hex = `0x${byte.toString(16).padStart(2, '0')}`;
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}" (${hex})` : hex;
}
