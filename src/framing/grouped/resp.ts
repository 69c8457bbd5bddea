/** The protocol of Redis, RESP2 and RESP3: a value is a message. */

import { YodelError } from '../../errors.ts';
import { checkShapes } from '../../option-shapes.ts';
import type { FrameReader } from '../frames.ts';
import { type Encoder, type Framing, inPlace } from '../framing.ts';
import type { FramingId } from '../message-parts.ts';
import { type FrameScanner, nameByte, ScanningDecoder, type SkipRule } from '../scanning.ts';
import { isTypeByte, RespParser } from './resp-parser.ts';

const CR = 0x0d;
const LF = 0x0a;

/** Options of {@link resp}. */
export interface RespOptions {
  /**
   * Whether a line that begins with none of the type bytes is a message too, an inline command: `PING`, `SET key "a b"`. Redis
   * accepts those from clients, and people type them. Default: false; such a line is an error.
   */
  readonly inline?: boolean | undefined;
}

/**
 * Values of RESP2 and RESP3, the protocol of Redis. A whole value is a message, with everything that it contains; the payload
 * is the value as it is on the wire.
 *
 * ```
 * + O K \r \n                                      -> "+OK\r\n"
 * $ 2 \r \n h i \r \n                              -> "$2\r\nhi\r\n"
 * * 2 \r \n $ 3 \r \n G E T \r \n $ 1 \r \n k \r \n  -> one message
 * |<------------- payload and frame ------------>|
 * | 1 \r \n + a \r \n + b \r \n : 7 \r \n          -> one message: an attribute belongs to the value after it
 *
 * resp({ inline: true })    G E T   k \r \n        -> "GET k"
 *                           |<----->| payload
 * ```
 *
 * All types are known: `+` `-` `:` `$` `*` of RESP2, the null values `$-1` and `*-1`, `_` `#` `,` `(` `!` `=` `%` `~` `>` `|` of
 * RESP3, and its strings and aggregates without a length (`$?` with parts `;`, `*?` `~?` `%?` up to `.`). Values are nested at
 * most 1024 levels deep. Lengths have at most 15 digits. What is no value is an error that names its first wrong byte.
 *
 * With `inline`, the payload of an inline command is its line without LF or CRLF. Empty lines are no messages.
 *
 * Sent is what is exactly one value. yodel's own error replies are errors of RESP: `-ERR message 1 is …`. With `inline`, any other line that does not begin with a type byte is sent as an inline command, so that
 * `yodel connect` can be used like a telnet session to Redis, which reads quotes in such a line as its own client does.
 */
export function resp(options: RespOptions = {}): Framing {
  checkShapes(options, { inline: 'boolean' }, 'resp()');
  return options.inline ? withInline : plain;
}

class RespScanner implements FrameScanner, SkipRule {
  readonly reader: FrameReader;
  readonly #parser = new RespParser();
  readonly #isInlineAllowed: boolean;
  readonly #limit: number;
  readonly #maxFrame: number;
  /** Whether the frame that was scanned last is an inline command. */
  #isInline = false;
  /** How many of the last bytes are needed again. */
  #kept = 0;

  constructor(reader: FrameReader, isInlineAllowed: boolean, limit: number) {
    this.reader = reader;
    this.#isInlineAllowed = isInlineAllowed;
    this.#limit = limit;
    this.#maxFrame = this.maxFrameSize(limit);
  }

  get memory(): number {
    return this.#parser.memory;
  }

  maxFrameSize(limit: number): number {
    return this.#isInlineAllowed ? limit + 2 : limit;
  }

  scan(bytes: Buffer, start: number, seen: number): number {
    this.#isInline = this.#isInlineAllowed && !isTypeByte(bytes[start]);
    if (this.#isInline) return endOfInline(bytes, start, seen);
    const parser = this.#parser;
    if (seen > start) parser.moveTo(start);
    else parser.begin(start);
    const end = parser.read(bytes, this.#maxFrame, this.#limit);
    if (end === 0 && bytes.length - start > this.#maxFrame) parser.relax(bytes);
    this.#kept = bytes.length - parser.at;
    return end;
  }

  /** The rest of a value is read on, without keeping it. */
  get skip(): SkipRule {
    return this;
  }

  get endSize(): number {
    return this.#isInline ? 1 : this.#kept + 1;
  }

  find(bytes: Buffer, from: number): number {
    if (this.#isInline) return bytes.indexOf(LF, from) + 1;
    const parser = this.#parser;
    parser.drop();
    parser.relax(bytes.subarray(0, this.#kept));
    const end = parser.read(bytes, -1);
    this.#kept = bytes.length - parser.at;
    return end;
  }
}

/** Where an inline command ends; 0 if it has not arrived; below 0 for an empty line, which is none. */
function endOfInline(bytes: Buffer, start: number, seen: number): number {
  const found = bytes.indexOf(LF, Math.max(start, seen));
  if (found === -1) return 0;
  const isEmpty = found === start || (found === start + 1 && bytes[start] === CR);
  return isEmpty ? -(found + 1) : found + 1;
}

function endOfInlinePayload(bytes: Buffer, start: number, end: number): number {
  if (isTypeByte(bytes[start])) return end;
  return bytes[end - 2] === CR && end - 2 >= start ? end - 2 : end - 1;
}

function create(id: FramingId, isInlineAllowed: boolean): Framing {
  const reader: FrameReader = {
    framing: id,
    headerSize: 0,
    payloadStart: (_bytes, start) => start,
    payloadEnd: isInlineAllowed ? endOfInlinePayload : (_bytes, _start, end) => end,
    terminatorSize: () => (isInlineAllowed ? -1 : 0),
  };
  return {
    ...id,
    defaultEncoding: 'binary',
    encoder: createEncoder(isInlineAllowed),
    createDecoder: (options) =>
      new ScanningDecoder(new RespScanner(reader, isInlineAllowed, options.maxMessageLength), options),
  };
}

function createEncoder(isInlineAllowed: boolean): Encoder {
  const parser = new RespParser();
  return {
    ...inPlace({
      headerSize: () => 0,
      trailerSize: isInlineAllowed ? 2 : 0,
      seal(target, _at, start, end) {
        if (isInlineAllowed && end > start && !isTypeByte(target[start])) return sealInline(target, start, end);
        checkValue(parser, target, start, end);
        return end;
      },
    }),
    shapeOf: () => undefined,
    errorPayload: (reason) => `-ERR ${reason.replace(/[\r\n]+/g, ' ')}\r\n`,
  };
}

function sealInline(target: Buffer, start: number, end: number): number {
  target[end] = CR;
  target[end + 1] = LF;
  const found = target.indexOf(LF, start);
  if (found !== end + 1) {
    throw unencodable(`an inline command is one line, and the message contains a line feed at offset ${found - start}`);
  }
  return end + 2;
}

function checkValue(parser: RespParser, target: Buffer, start: number, end: number): void {
  if (end === start) throw unencodable('an empty message is no RESP value');
  if (!isTypeByte(target[start])) {
    throw unencodable(`a message is one RESP value, such as +OK with CRLF; ${nameByte(target[start])} begins none`);
  }
  let found: number;
  try {
    parser.begin(start);
    found = parser.read(target.subarray(0, end));
  } catch (error) {
    if (!(error instanceof YodelError)) throw error;
    throw unencodable(`the message is not a RESP value: ${error.message}`, error);
  }
  if (found === 0 || found > end) throw unencodable('the message is only the beginning of a RESP value');
  if (found < end) throw unencodable(`the message continues at offset ${found - start}, after a complete RESP value`);
}

function unencodable(message: string, cause?: Error): YodelError {
  return new YodelError('YODEL_UNENCODABLE_MESSAGE', message, { cause });
}

const plain = create({ name: 'resp', id: 'resp' }, false);
const withInline = create({ name: 'resp:inline', id: 'resp:inline' }, true);
