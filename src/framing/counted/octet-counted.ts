/** Octet counting of syslog over TCP: the length in decimal digits, a space, the payload; perhaps mixed with lines. */

import { YodelError } from '../../errors.ts';
import { checkShapes } from '../../option-shapes.ts';
import { Alternatives } from '../delimited/delimiters.ts';
import type { FrameReader } from '../frames.ts';
import { type Encoder, type Framing, inPlace } from '../framing.ts';
import type { Message } from '../message.ts';
import type { FramingId } from '../message-parts.ts';
import { type FrameScanner, invalidFrame, nameByte, ScanningDecoder } from '../scanning.ts';
import { decimalSize, endOfDecimal, maxDigits, readDecimal, writeDecimal } from './decimal.ts';

/** Options of {@link octetCounted}. */
export interface OctetCountedOptions {
  /** Whether a message that does not begin with a digit from 1 to 9 ends with LF. Default: it is an error. */
  readonly mixed?: boolean | undefined;
  /** With `mixed`: whether NUL ends such a message as well as LF. Default false. */
  readonly nul?: boolean | undefined;
}

const space = 0x20;
const LF = 0x0a;
const NUL = 0x00;

/** The shapes of a frame, by what follows its length or its payload. */
const counted = Buffer.from(' ');
const line = Buffer.from('\n');
const nulTerminated = Buffer.from('\0');

/**
 * Messages with their length in front, as syslog senders count octets (RFC 6587, section 3.4.1).
 *
 * ```
 * octetCounted()
 * 5 <1>hi5 <1>yo            "<1>hi" "<1>yo"
 * 05 <1>hi                  an error: a length begins with a digit from 1 to 9
 *
 * octetCounted({ mixed: true })
 * 5 <1>hi<1>yo LF 2 hi      "<1>hi" "<1>yo" "hi"
 * <1>yo  (end)              "<1>yo"
 * ```
 *
 * The length counts bytes, in at most 15 digits. A message of no bytes has no frame, so it cannot be sent.
 *
 * With `mixed`, both kinds of RFC 6587 may follow one another on a connection, as collectors accept them: a frame that begins with
 * a digit from 1 to 9 is counted, any other one ends with LF, or with NUL if `nul` is set, and the last one with the input. CR
 * before LF is data. A reply has the kind of frame of the message that it answers; other messages are counted. A message that
 * contains LF or begins with a digit from 1 to 9 cannot be sent as a line.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function octetCounted(options: OctetCountedOptions = {}): Framing {
  checkShapes(options, { mixed: 'boolean', nul: 'boolean' }, 'octetCounted()');
  const { mixed = false, nul = false } = options;
  if (nul && !mixed) {
    throw new YodelError('YODEL_INVALID_OPTION', 'the framing "octet-counted" takes "nul" only with "mixed"');
  }
  const name = `octet-counted${mixed ? ':mixed' : ''}${nul ? ',nul' : ''}`;
  const id: FramingId = { name, id: name };
  const scanner = mixed ? mixedScanner(id, nul) : countedScanner(id);
  return {
    ...id,
    defaultEncoding: 'binary',
    encoder: createEncoder(id, mixed, nul),
    createDecoder: (options) => new ScanningDecoder(scanner, options),
  };
}

function countedScanner(framing: FramingId): FrameScanner {
  const reader: FrameReader = {
    framing,
    headerSize: -1,
    payloadStart: (bytes, start) => endOfDecimal(bytes, start, space),
    payloadEnd: (_bytes, _start, end) => end,
    terminatorSize: () => 0,
  };
  return { reader, maxFrameSize: (limit) => maxDigits + 1 + limit, scan: scanCounted };
}

function scanCounted(bytes: Buffer, start: number): number {
  if (bytes[start] === 0x30) {
    throw invalidFrame(0, `expected a digit from 1 to 9, with which a length begins, not ${nameByte(0x30)}`);
  }
  const length = readDecimal(bytes, start, space);
  return length === -1 ? 0 : start + decimalSize(length) + length;
}

function mixedScanner(framing: FramingId, nul: boolean): FrameScanner {
  const endings = new Alternatives([line, ...(nul ? [nulTerminated] : [])]);
  const endOfLine = (bytes: Buffer, from: number) =>
    nul ? endings.endOfFirst(bytes, from) : bytes.indexOf(LF, from) + 1;
  const isEnd = (byte: number | undefined) => byte === LF || (nul && byte === NUL);
  const reader: FrameReader = {
    framing,
    headerSize: -1,
    payloadStart: (bytes, start) => (isCounted(bytes, start) ? endOfDecimal(bytes, start, space) : start),
    payloadEnd: (bytes, start, end) => (!isCounted(bytes, start) && isEnd(bytes[end - 1]) ? end - 1 : end),
    terminatorSize: () => -1,
  };
  return {
    reader,
    maxFrameSize: (limit) => maxDigits + 1 + limit,
    scan: (bytes, start, seen) =>
      isCounted(bytes, start) ? scanCounted(bytes, start) : endOfLine(bytes, Math.max(start, seen)),
    endsWithInput: (bytes) => !isCounted(bytes, 0),
    // The end of a counted message is known from its length.
    skip: { endSize: 1, find: endOfLine },
  };
}

function isCounted(bytes: Uint8Array, start: number): boolean {
  const byte = bytes[start] as number;
  return byte >= 0x31 && byte <= 0x39;
}

function createEncoder({ id }: FramingId, mixed: boolean, nul: boolean): Encoder {
  const shapeFor = (size: number, shape: Uint8Array | undefined) =>
    mixed && size === 0 && (shape ?? counted)[0] === space ? line : (shape ?? counted);
  const shapeOf = (message: Message) => {
    if (!mixed || message.framing?.id !== id) return undefined;
    if (isCounted(message.frame, 0)) return counted;
    if (message.terminatorSize === 0) return undefined;
    return message.terminator[0] === LF ? line : nulTerminated;
  };
  return {
    ...inPlace({
      headerSize: (size, shape) => (shapeFor(size, shape)[0] === space ? decimalSize(size) : 0),
      trailerSize: mixed ? 1 : 0,
      seal(target, at, start, end, shape) {
        const [kind] = shapeFor(end - start, shape);
        if (kind === space) {
          if (end === start) throw unencodable('a message of no bytes has no frame of the framing "octet-counted"');
          writeDecimal(target, at, end - start, space);
          return end;
        }
        checkLine(target.subarray(start, end), nul);
        target[end] = kind as number;
        return end + 1;
      },
    }),
    shapeOf,
    sharesShape: true,
    suits(message, shape) {
      const own = shapeOf(message);
      return !mixed || (own !== undefined && (shape === undefined || own === shape));
    },
  };
}

/** @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
function checkLine(payload: Buffer, nul: boolean): void {
  if (payload.length > 0 && isCounted(payload, 0)) {
    const first = nameByte(payload[0]);
    throw unencodable(`the message begins with ${first}, so it would be taken for a length where messages end with LF`);
  }
  const lf = payload.indexOf(LF);
  const end = lf === -1 && nul ? payload.indexOf(NUL) : lf;
  if (end === -1) return;
  const byte = nameByte(payload[end]);
  throw unencodable(`the message contains ${byte} at offset ${end}, so it would arrive as two messages`);
}

function unencodable(text: string): YodelError {
  return new YodelError('YODEL_UNENCODABLE_MESSAGE', text);
}
