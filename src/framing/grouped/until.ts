/** Groups of messages of another framing, up to one that matches a pattern: replies of several lines. */
import { YodelError } from '../../errors.ts';
import { DelimitedFrames } from '../delimited/delimited.ts';
import type { FrameReader } from '../frames.ts';
import { type Encoder, type Framing, type InPlaceEncoder, inPlace, isSameFraming } from '../framing.ts';
import type { Message } from '../message.ts';
import type { FramingId } from '../message-parts.ts';
import { type FrameScanner, ScanningDecoder } from '../scanning.ts';
import { type EndsGroup, GroupScanner, scannerOf } from './group-scanner.ts';

/**
 * Inner messages, grouped: a message is all of them up to the first that matches the pattern, and including it. Replies of
 * SMTP, FTP, NNTP, POP3 and memcached are such groups of lines.
 *
 * ```
 * until(lines({ crlf: true }), /^\d{3}( |$)/)
 *
 * 2 5 0 - a \r \n 2 5 0   b \r \n | 2 2 1   c \r \n
 * |<------- payload ------->|     | |<payload>|             -> "250-a\r\n250 b"  "221 c"
 * |<----------- frame ----------->|
 *
 * until(lines(), /^\.$/)        + O K \n x \n . \n          -> "+OK\nx\n."
 * until(lines(), /^END$/)       E N D \n                    -> "END"
 * ```
 *
 * The payload is all bytes from the first inner payload to the end of the last one, and what is between them is unchanged. The
 * limit applies to that. The pattern is tested against the text of each inner message; a group that is too long ends where
 * it would have ended, and of a line longer than the limit as many bytes as the limit are tested.
 *
 * When the input ends, a last line without its ending counts if it matches. Without a match, the group is unfinished.
 *
 * A text is sent only if it would arrive as this one message: its last line matches, and none before it. The header is that of
 * the first inner message.
 *
 * @param inner the framing of the messages: `lines`, `delimiter`, `length`, and others that find frames one by one and contain
 *   payloads as they are; neither `raw` nor one with escapes
 * @param pattern of the last message of a group; the flags `g` and `y` are ignored
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function until(inner: Framing, pattern: RegExp): Framing {
  if (!(pattern instanceof RegExp)) {
    throw new YodelError('YODEL_INVALID_OPTION', 'the framing "until" takes a regular expression as pattern');
  }
  // With these flags, the result would depend on the test before.
  const fresh = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  const endsGroup: EndsGroup = (bytes, start, end) => fresh.test(bytes.toString('utf8', start, end));
  const name = `until(${inner.name},${fresh})`;
  const id: FramingId = { name, id: `until(${inner.id},${fresh})` };
  const reader = createReader(id, scannerOf(inner, Number.MAX_SAFE_INTEGER, undefined));
  const scannerFor = (limit: number, state?: unknown) =>
    new GroupScanner(reader, scannerOf(inner, limit, state), endsGroup, limit);
  return {
    ...id,
    defaultEncoding: inner.defaultEncoding,
    encoder: createEncoder(id, inner, scannerFor(Number.MAX_SAFE_INTEGER), fresh),
    createDecoder: (options, state) => new ScanningDecoder(scannerFor(options.maxMessageLength, state), options),
  };
}

function createReader(framing: FramingId, scanner: FrameScanner): FrameReader {
  const inner = scanner.reader;
  const isDelimited = inner instanceof DelimitedFrames;
  return {
    framing,
    headerSize: inner.headerSize,
    payloadStart: (bytes, start, end) => inner.payloadStart(bytes, start, end),
    // The end of a delimited payload does not depend on where it begins.
    payloadEnd: (bytes, start, end) =>
      inner.payloadEnd(bytes, isDelimited ? start : startOfLast(scanner, bytes, start, end), end),
    terminatorSize: (bytes) => (isDelimited ? inner.terminatorSize(bytes) : -1),
    ...(inner.header && { header: (bytes, start, end) => inner.header?.(bytes, start, end) as Uint8Array }),
  };
}

/** Where the last inner frame between `start` and `end` begins. It need not be finished; it is empty if others fill the bytes. */
function startOfUnfinished(scanner: FrameScanner, bytes: Buffer, start: number, end: number): number {
  const view = bytes.subarray(0, end);
  let at = start;
  while (at < end) {
    const next = Math.abs(scanner.scan(view, at, at));
    if (next === 0 || next > end) break;
    at = next;
  }
  return at;
}

/** Where the last inner frame of a group begins. */
function startOfLast(scanner: FrameScanner, bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const next = Math.abs(scanner.scan(bytes, at, at));
    if (next === 0 || next >= end) break;
    at = next;
  }
  return at;
}

function createEncoder(id: FramingId, inner: Framing, scanner: GroupScanner, pattern: RegExp): Encoder {
  const asInner = (message: Message) => (isSameFraming(message.framing, id) ? new InnerView(message, inner) : message);
  const { suits, sharesShape } = inner.encoder;
  const innerScanner = scannerOf(inner, Number.MAX_SAFE_INTEGER, undefined);
  return {
    ...encodeWith(inner, innerScanner, scanner, pattern),
    shapeOf: (message) => inner.encoder.shapeOf(asInner(message) as Message),
    ...(suits && { suits: (message, shape) => suits(asInner(message) as Message, shape) }),
    ...(sharesShape !== undefined && { sharesShape }),
  };
}

/** A group as its inner framing sees it, to tell its header and ending. */
class InnerView {
  readonly framing: FramingId;
  readonly #group: Message;

  constructor(group: Message, inner: Framing) {
    this.#group = group;
    this.framing = { name: inner.name, id: inner.id };
  }

  get header(): Uint8Array {
    return this.#group.header;
  }

  get terminatorSize(): number {
    return this.#group.terminatorSize;
  }
}

/** Completes the last of the inner frames, and checks that a decoder would find the message again. */
function encodeWith(
  inner: Framing,
  innerScanner: FrameScanner,
  scanner: GroupScanner,
  pattern: RegExp,
): Pick<Encoder, 'encode' | 'inPlace'> {
  const { inPlace: sealing } = inner.encoder;
  // With a header, only the first inner message's would be outside the payload: then a message is one inner message.
  const isHeaderless = innerScanner.reader.headerSize === 0;
  const startOfRest = (bytes: Buffer, start: number, end: number) =>
    isHeaderless ? startOfUnfinished(innerScanner, bytes, start, end) : start;
  if (!sealing) {
    return {
      encode(payload, shape) {
        const bytes = Buffer.from(payload);
        const rest = unencodableIfThrows(() => startOfRest(bytes, 0, bytes.length));
        const frame = Buffer.concat([bytes.subarray(0, rest), inner.encoder.encode(bytes.subarray(rest), shape)]);
        const start = scanner.reader.payloadStart(frame, 0, frame.length);
        checkGroup(scanner, pattern, frame, { at: 0, start, end: start + bytes.length });
        return frame;
      },
    };
  }
  const inPlaceEncoder: InPlaceEncoder = {
    headerSize: (size, shape) => sealing.headerSize(size, shape),
    trailerSize: sealing.trailerSize,
    seal(target, at, start, end, shape) {
      const rest = unencodableIfThrows(() => startOfRest(target, start, end));
      const frameEnd = sealing.seal(target, isHeaderless ? rest : at, rest, end, shape);
      checkGroup(scanner, pattern, target.subarray(0, frameEnd), { at, start, end });
      return frameEnd;
    },
  };
  return inPlace(inPlaceEncoder);
}

/** @param frame ends with the frame, which begins at `at` and has its payload from `start` to `end` */
function checkGroup(
  scanner: GroupScanner,
  pattern: RegExp,
  frame: Buffer,
  { at, start, end }: { readonly at: number; readonly start: number; readonly end: number },
): void {
  const { reader } = scanner;
  const found = unencodableIfThrows(() => scanner.scan(frame, at, at));
  if (found === 0) {
    throw unencodable(
      `the message does not end with one that matches ${pattern}, so the peer would wait for more of it`,
    );
  }
  if (found !== frame.length) {
    const offset = Math.max(0, found - start);
    throw unencodable(`what ends at offset ${offset} of the message matches ${pattern}, so it would arrive as several`);
  }
  if (reader.payloadStart(frame, at, found) !== start || reader.payloadEnd(frame, at, found) !== end) {
    throw unencodable('the message would not arrive as it is');
  }
}

function unencodableIfThrows<T>(scan: () => T): T {
  try {
    return scan();
  } catch (error) {
    throw error instanceof YodelError ? unencodable(error.message, error) : error;
  }
}

function unencodable(message: string, cause?: Error): YodelError {
  return new YodelError('YODEL_UNENCODABLE_MESSAGE', message, { cause });
}
