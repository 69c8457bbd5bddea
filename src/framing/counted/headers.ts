/** Messages preceded by header lines, one of which is Content-Length: language servers, debug adapters. */

import { YodelError } from '../../errors.ts';
import { checkShapes } from '../../option-shapes.ts';
import type { FrameReader } from '../frames.ts';
import { type Encoder, type Framing, inPlace } from '../framing.ts';
import type { Message } from '../message.ts';
import type { FramingId } from '../message-parts.ts';
import { type FrameScanner, ScanningDecoder } from '../scanning.ts';
import { type Block, checkBlock, endOfBlock, maxLengthDigits, readBlock } from './header-block.ts';

/** Options of {@link headers}. */
export interface HeadersOptions {
  /** The most bytes that all header lines together may have, with the empty line after them: 64 to 1,048,576. Default 8192. */
  readonly maxHeaderSize?: number | undefined;
}

const usualHeaderSize = 8192;
const lengthName = 'Content-Length: ';
const lengthBytes = Buffer.from(lengthName);
const crlf = Buffer.from('\r\n');

/**
 * Messages preceded by header lines, as in the Language Server Protocol and the Debug Adapter Protocol.
 *
 * ```
 * Content-Length: 2 CR LF | Content-Type: text/x CR LF | CR LF | {}
 * |<- the payload's bytes |<-- the message's header -->|       |<- payload
 *
 * Content-Length: 2\r\n\r\n{}               "{}"
 * A: b\r\ncontent-length:2\r\n\r\n{}        "{}", header "A: b\r\n"
 * Content-Length: 0\r\n\r\n                 ""
 * ```
 *
 * Every line ends with CRLF, as those protocols demand: an LF alone is an error, as otherwise a peer that is strict would
 * wait forever for the end of the lines. Names are not case-sensitive. Content-Length occurs exactly once and is a decimal
 * number; it counts bytes, not characters. All other lines, with their CRLFs and in their order, are the message's header.
 *
 * An encoder writes Content-Length first, then the header. A reply of text or bytes has the header of the message that it
 * answers. A header that is not lines, or contains a Content-Length, cannot be sent.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function headers(options: HeadersOptions = {}): Framing {
  checkShapes(options, { maxHeaderSize: 'other' }, 'headers()');
  const { maxHeaderSize = usualHeaderSize } = options;
  if (!Number.isInteger(maxHeaderSize) || maxHeaderSize < 64 || maxHeaderSize > 1_048_576) {
    const text = `the framing "headers" takes "maxHeaderSize" from 64 to 1048576, not ${maxHeaderSize}`;
    throw new YodelError('YODEL_INVALID_OPTION', text);
  }
  const name = maxHeaderSize === usualHeaderSize ? 'headers' : `headers:max=${maxHeaderSize}`;
  const id: FramingId = { name, id: name };
  const reader = createReader(id);
  return {
    ...id,
    defaultEncoding: 'utf8',
    encoder: createEncoder(id, maxHeaderSize),
    createDecoder: (decoding) => new ScanningDecoder(createScanner(reader, maxHeaderSize), decoding),
  };
}

function createReader(framing: FramingId): FrameReader {
  return {
    framing,
    headerSize: -1,
    payloadStart: endOfBlock,
    payloadEnd: (_bytes, _start, end) => end,
    terminatorSize: () => 0,
    header: (bytes, start) => otherLines(bytes, start, readBlock(bytes, start, endOfBlock(bytes, start))),
  };
}

/** The scanner of one connection. It reads each line once, however it arrives. */
function createScanner(reader: FrameReader, maxHeaderSize: number): FrameScanner {
  /** The size of the frame that is being received; 0 while its lines have not ended. */
  let size = 0;
  return {
    reader,
    maxFrameSize: (limit) => maxHeaderSize + limit,
    scan(bytes, start, seen) {
      if (seen > start && size > 0) return start + size;
      size = 0;
      const usual = scanUsual(bytes, start);
      if (usual > 0) size = usual - start;
      else {
        const end = checkBlock(bytes, start, seen, maxHeaderSize);
        if (end > 0) size = end - start + readBlock(bytes, start, end).length;
      }
      return size === 0 ? 0 : start + size;
    },
  };
}

/** The end of a frame whose only line is Content-Length as most senders write it; 0 for any other. Saves most of the time. */
function scanUsual(bytes: Buffer, start: number): number {
  const digits = start + lengthName.length;
  if (bytes.length < digits + 5) return 0;
  for (let index = 0; index < lengthBytes.length; index++) if (bytes[start + index] !== lengthBytes[index]) return 0;
  let length = 0;
  let at = digits;
  for (; at < bytes.length && at < digits + maxLengthDigits; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) break;
    length = length * 10 + digit;
  }
  if (at === digits || at + 4 > bytes.length) return 0;
  // CRLF CRLF
  return bytes.readUInt32BE(at) === 0x0d0a0d0a ? at + 4 + length : 0;
}

/** The lines around Content-Length, without the empty one. */
function otherLines(bytes: Buffer, start: number, { lineStart, lineEnd, end }: Block): Uint8Array {
  const last = end - crlf.length;
  if (lineStart === start) return bytes.subarray(lineEnd, last);
  if (lineEnd === last) return bytes.subarray(start, lineStart);
  return Buffer.concat([bytes.subarray(start, lineStart), bytes.subarray(lineEnd, last)]);
}

function createEncoder(id: FramingId, maxHeaderSize: number): Encoder {
  return {
    ...inPlace({
      headerSize: (size, shape) => lengthName.length + String(size).length + 2 * crlf.length + (shape?.length ?? 0),
      trailerSize: 0,
      seal(target, at, start, end, shape) {
        const other = at + target.write(`${lengthName}${end - start}\r\n`, at, 'latin1');
        if (shape) target.set(shape, other);
        target.set(crlf, start - crlf.length);
        return end;
      },
    }),
    shapeOf: (message) => headerFor(message, id, maxHeaderSize),
  };
}

/** A copy of the message's header, if it is one of this framing or of none. */
function headerFor(message: Message, { id }: FramingId, maxHeaderSize: number): Uint8Array | undefined {
  const { header, framing } = message;
  if (header.length === 0 || (framing && !/^headers\b/.test(framing.id))) return undefined;
  const copy = Uint8Array.from(header);
  // A header that arrived has been checked, by the same limit.
  if (framing?.id !== id) checkHeader(Buffer.from(copy.buffer), maxHeaderSize);
  return copy;
}

/** @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
function checkHeader(header: Buffer, maxHeaderSize: number): void {
  // The header as it would arrive: behind a Content-Length, which must stay the only one.
  const first = Buffer.from(`${lengthName}${'0'.repeat(maxLengthDigits)}\r\n`);
  const block = Buffer.concat([first, header, crlf]);
  let reason = 'it contains an empty line';
  try {
    const end = checkBlock(block, 0, 0, maxHeaderSize);
    if (end === block.length && readBlock(block, 0, end)) return;
    if (end === 0) reason = 'its last line does not end with CRLF';
  } catch (error) {
    reason = (error as Error).message.replace(/^at byte (\d+)/, (_, at) => `at byte ${Number(at) - first.length}`);
  }
  const text = `the header must be lines that end with CRLF, without Content-Length: ${reason}`;
  throw new YodelError('YODEL_UNENCODABLE_MESSAGE', text);
}
