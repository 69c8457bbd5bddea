/** Messages between start bytes and end bytes, perhaps with an escape byte. */

import { YodelError } from '../../errors.ts';
import { checkShapes } from '../../option-shapes.ts';
import { formatBytes } from '../escapes.ts';
import type { FrameReader } from '../frames.ts';
import { type Encoder, type Framing, inPlace } from '../framing.ts';
import type { FramingId } from '../message-parts.ts';
import { type FrameScanner, invalidFrame, nameByte, ScanningDecoder } from '../scanning.ts';
import { EscapedScanner, escapePayload, type Stuffing, unescapePayload } from './stuffing.ts';

/** Options of {@link between}. */
export interface BetweenOptions {
  /** Bytes that may occur between frames, any number of them in any order, and belong to no message. Default: none. */
  readonly gap?: string | Uint8Array | undefined;
  /** The byte before a byte of the payload that would otherwise be read as a start or an end. Default: none. */
  readonly escape?: string | Uint8Array | undefined;
}

/**
 * Messages between start bytes and end bytes: `between('\x0b', '\x1c\r')` is HL7's MLLP, `between('\x02', '\x03')` STX and ETX.
 *
 * ```
 * between '\x02', '\x03'
 * 02 'h' 'i' 03              "hi"
 * 02 03                      ""
 * 02 02 03                   02: within a message, the start bytes are data
 * 'h'                        an error: expected the start
 *
 * between '\x02', '\x03', gap '\r\n'
 * 02 'h' 03 0d 0a 02 'i' 03  "h" "i"
 *
 * between '\x10\x02', '\x10\x03', escape '\x10': the end begins with the escape byte
 * 10 02 'h' 10 10 'i' 10 03  'h' 10 'i'
 * 10 02 'h' 10 'i'           an error: 10 is followed by 10, or by the rest of the end
 *
 * between '\x02', '\x03', escape '\x1b': the end does not
 * 02 'h' 1b 03 1b 1b 03      'h' 03 1b: any byte after the escape byte is data
 * ```
 *
 * The first end ends the message. Anything before a start, other than gap bytes, is an error that names the byte. A payload
 * that contains the end can be sent only with an escape byte; the encoder writes it before every byte of the payload that
 * needs it: itself, and, unless the end begins with it, the first byte of the start and of the end.
 *
 * Gap bytes are in the frame of no message: only `proxy:` and `exec:` pass them on. Without
 * an escape byte messages are checked to be UTF-8 by default, with one they are binary.
 *
 * @param start 1 to 64 bytes
 * @param end 1 to 64 bytes
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function between(start: string | Uint8Array, end: string | Uint8Array, options: BetweenOptions = {}): Framing {
  checkShapes(options, { gap: 'other', escape: 'other' }, 'between()');
  const marks = checkMarks(start, end, options);
  const { escapeByte } = marks;
  const name = describe(marks);
  const id: FramingId = { name, id: name };
  if (escapeByte === undefined) {
    const scanner = createScanner(marks, readerOf(id, marks));
    return {
      ...id,
      defaultEncoding: 'utf8',
      encoder: createEncoder(marks),
      createDecoder: (decoding) => new ScanningDecoder(scanner, decoding),
    };
  }
  const stuffing: Stuffing = { ...marks, escapeByte };
  const reader: FrameReader = {
    ...readerOf(id, marks),
    payload: (bytes, from, to) =>
      unescapePayload(bytes, from + stuffing.start.length, to - stuffing.end.length, escapeByte),
  };
  return {
    ...id,
    defaultEncoding: 'binary',
    encoder: { encode: (payload) => escapePayload(payload, stuffing), shapeOf: () => undefined },
    createDecoder: (decoding) => new ScanningDecoder(new EscapedScanner(stuffing, reader, findStart), decoding),
  };
}

/** What surrounds a payload. */
export interface Marks {
  readonly start: Buffer;
  readonly end: Buffer;
  readonly gap: Buffer;
  readonly escapeByte: number | undefined;
}

function readerOf(framing: FramingId, { start, end }: Marks): FrameReader {
  return {
    framing,
    headerSize: start.length,
    payloadStart: (_bytes, from) => from + start.length,
    payloadEnd: (_bytes, _from, to) => to - end.length,
    terminatorSize: () => end.length,
  };
}

function createScanner(marks: Marks, reader: FrameReader): FrameScanner {
  const { start, end } = marks;
  const around = start.length + end.length;
  // Searching for one byte is a memchr; for several bytes it is the slower general search.
  const searched = end.length === 1 ? (end[0] as number) : end;
  const endAfter = (bytes: Buffer, from: number) => {
    const found = bytes.indexOf(searched, from);
    return found === -1 ? 0 : found + end.length;
  };
  return {
    reader,
    maxFrameSize: (limit) => around + limit,
    scan(bytes, from, seen) {
      const payload = findStart(bytes, from, marks);
      if (payload <= 0) return payload;
      return endAfter(bytes, Math.max(payload, seen - end.length + 1));
    },
    skip: { endSize: end.length, find: endAfter },
  };
}

/**
 * The offset after the start; 0 if it has not arrived; below 0 if gap bytes precede it, as `FrameScanner.scan` returns it.
 *
 * @throws YodelError from `invalidFrame`
 */
function findStart(bytes: Buffer, from: number, { start, gap }: Marks): number {
  if (bytes[from] !== start[0] && gap.length > 0) {
    let at = from;
    while (at < bytes.length && gap.includes(bytes[at] as number)) at++;
    if (at > from) return -at;
  }
  for (let index = 0; index < start.length; index++) {
    const byte = bytes[from + index];
    if (byte === undefined) return 0;
    if (byte !== start[index]) {
      const due = `${nameByte(start[index])}${start.length > 1 ? ` of ${formatBytes(start)}` : ''}`;
      throw invalidFrame(index, `expected the start of a message, ${due}, not ${nameByte(byte)}`);
    }
  }
  return from + start.length;
}

function createEncoder({ start, end }: Marks): Encoder {
  return {
    ...inPlace({
      headerSize: () => start.length,
      trailerSize: end.length,
      seal(target, at, from, to) {
        target.set(start, at);
        target.set(end, to);
        // The end must not occur earlier, not even where it overlaps the one at the end.
        const found = target.indexOf(end, from);
        if (found === to) return to + end.length;
        throw new YodelError(
          'YODEL_UNENCODABLE_MESSAGE',
          `the message contains the end ${formatBytes(end)} at offset ${found - from}, so it would arrive as something else; use an escape byte, or another framing`,
        );
      },
    }),
    shapeOf: () => undefined,
  };
}

function checkMarks(start: string | Uint8Array, end: string | Uint8Array, options: BetweenOptions): Marks {
  const bytesOf = (value: string | Uint8Array | undefined) => Buffer.from((value ?? '') as string);
  const marks = { start: bytesOf(start), end: bytesOf(end), gap: bytesOf(options.gap) };
  const escaping = bytesOf(options.escape);
  const refuse = (text: string): never => {
    throw new YodelError('YODEL_INVALID_OPTION', `the framing "between" takes ${text}`);
  };
  const unknown = Object.keys(options).find((name) => name !== 'gap' && name !== 'escape');
  if (unknown !== undefined) refuse(`the options gap and escape, not "${unknown}"`);
  for (const mark of ['start', 'end'] as const) {
    const { length } = marks[mark];
    if (length < 1 || length > 64) refuse(`1 to 64 bytes as ${mark}, not ${length}`);
  }
  if (marks.gap.includes(marks.start[0] as number)) refuse('gap bytes that do not begin a start');
  if (options.escape !== undefined && escaping.length !== 1) refuse(`one byte as escape, not ${escaping.length}`);
  const [byte] = escaping;
  // Else twice the escape byte in a payload would be an end, or an end would be one only sometimes.
  if (byte !== undefined && marks.end.includes(byte, 1)) {
    refuse('an end that contains the escape byte only as its first byte');
  }
  if (byte !== undefined && marks.end.length === 1 && marks.end[0] === byte)
    refuse('an escape byte other than the end');
  return { ...marks, escapeByte: byte };
}

function describe({ start, end, gap, escapeByte }: Marks): string {
  const parts = [formatBytes(start, ','), formatBytes(end, ',')];
  if (gap.length > 0) parts.push(`gap=${formatBytes(gap, ',')}`);
  if (escapeByte !== undefined) parts.push(`escape=${formatBytes(Uint8Array.of(escapeByte), ',')}`);
  return `between:${parts.join(',')}`;
}
