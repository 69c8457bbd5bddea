/** Messages preceded by their length, the framing of most binary protocols. */
import { YodelError } from '../../errors.ts';
import type { FrameReader } from '../frames.ts';
import { byteCount, type Encoder, type Framing, type InPlaceEncoder, inPlace } from '../framing.ts';
import type { Message } from '../message.ts';
import type { FramingId } from '../message-parts.ts';
import { type FrameScanner, invalidFrame, ScanningDecoder } from '../scanning.ts';
import { type LengthField, lengthField } from './length-field.ts';

/** How the length is written. */
export type LengthFormat = 'binary' | 'digits' | 'bcd' | 'varint';

/** What the length counts. See {@link length}. */
export type LengthCounts = 'payload' | 'rest' | 'self' | 'frame';

/** Where the length field is, how it is written, and what it counts. */
export interface LengthOptions {
  /** The width of the field in bytes, 1 to 8. Default 4. For `varint`, the most bytes that it may have; default 5. */
  readonly bytes?: number;
  /**
   * How the length is written: as a binary number (default), as decimal digits (`0012`), as packed decimal digits, two in a
   * byte (BCD), or as a varint: 7 bits in a byte, the lowest first, as in MQTT and Protocol Buffers.
   */
  readonly format?: LengthFormat;
  /** The byte order of a binary field. Default `big`. */
  readonly endian?: 'big' | 'little';
  /** The number of bytes before the field. They are the first part of the message's header. Default 0. */
  readonly offset?: number;
  /** The number of bytes between the field and the payload. They are the last part of the message's header. Default 0. */
  readonly after?: number;
  /** What the length counts. Default `payload`. */
  readonly counts?: LengthCounts;
  /** Added to the field's value, for lengths that count something else. Default 0. */
  readonly adjustment?: number;
}

/**
 * Messages preceded by their length.
 *
 * ```
 * offset bytes | length field | after bytes | payload
 *                             |<- payload ->| no:  |<---->|   counts: 'payload' (default)
 *                             |<------------------------->|   counts: 'rest', what follows the field
 *              |<---------------------------------------->|   counts: 'self', the field as well
 * |<----------------------------------------------------->|   counts: 'frame', everything
 *
 * length()                                   00 00 00 02 'h' 'i'           -> "hi"
 * length({ bytes: 2, endian: 'little'})      02 00 'h' 'i'                 -> "hi"
 * length({ counts: 'self' })                 00 00 00 06 'h' 'i'           -> "hi"
 * length({ bytes: 1, offset: 2 })            aa bb 02 'h' 'i'              -> "hi", header aa bb
 * length({ bytes: 3, endian: 'little', after: 1 })  02 00 00 07 'h' 'i'    -> "hi", header 07
 * length({ bytes: 4, format: 'digits' })     '0' '0' '0' '2' 'h' 'i'       -> "hi"
 * length({ bytes: 2, format: 'bcd' })        00 02 'h' 'i'                 -> "hi"
 * length({ format: 'varint' })               ac 02 and 300 bytes           -> the 300 bytes
 * length({ bytes: 1, adjustment: -1 })       03 'h' 'i'                    -> "hi"
 * ```
 *
 * The bytes before and after the field are the message's header. A message without a header gets zeros, and a reply of text
 * or bytes the header of the message that it answers.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function length(options: LengthOptions = {}): Framing {
  const layout = resolveLayout(options);
  const name = describe(layout);
  const id = { name, id: name };
  const scanner = createScanner(id, layout);
  return {
    ...id,
    defaultEncoding: 'binary',
    encoder: createEncoder(id, layout),
    createDecoder: (decoderOptions) => new ScanningDecoder(scanner, decoderOptions),
  };
}

interface Layout extends Required<LengthOptions> {
  readonly field: LengthField;
  /** What the length counts besides the payload. */
  readonly counted: number;
}

function createScanner(framing: FramingId, layout: Layout): FrameScanner {
  const { field, offset, after, counted, adjustment } = layout;
  const around = offset + after;
  const payloadStart = (bytes: Buffer, start: number) => start + around + field.sizeAt(bytes, start + offset);
  const fixedSize = field.size;
  const scan = (bytes: Buffer, start: number) => {
    const at = start + offset;
    const size = fixedSize ?? field.sizeAt(bytes, at);
    if (size === 0 || at + size > bytes.length) return 0;
    const length = field.read(bytes, at, start) + adjustment - counted;
    if (length < 0) throw invalidFrame(offset, `the length field gives a payload of ${length} bytes`);
    return at + size + after + length;
  };
  const reader: FrameReader = {
    framing,
    headerSize: field.size === undefined ? -1 : around + field.size,
    payloadStart,
    payloadEnd: (_bytes, _start, end) => end,
    terminatorSize: () => 0,
    // Found again only if the messages are taken one by one: echo passes on the whole batch.
    ends(bytes, count) {
      const ends = new Array<number>(count);
      for (let at = 0, found = 0; found < count; found++) {
        at = scan(bytes, at);
        ends[found] = at;
      }
      return ends;
    },
    ...(around > 0 && { header: (bytes, start) => headerOf(bytes, start, payloadStart(bytes, start), layout) }),
  };
  return { reader, maxFrameSize: (limit) => around + field.maxSize + limit, scan };
}

function headerOf(bytes: Buffer, start: number, payload: number, { offset, after }: Layout): Uint8Array {
  if (after === 0) return bytes.subarray(start, start + offset);
  if (offset === 0) return bytes.subarray(payload - after, payload);
  return Buffer.concat([bytes.subarray(start, start + offset), bytes.subarray(payload - after, payload)]);
}

function createEncoder(framing: FramingId, layout: Layout): Encoder {
  const { field, offset, after, counted, adjustment } = layout;
  const size = offset + after;
  const sealing: InPlaceEncoder = {
    headerSize: (payload) => size + (field.size ?? field.sizeFor(payload + counted - adjustment)),
    trailerSize: 0,
    seal(target, at, start, end, shape) {
      const payload = end - start;
      const value = payload + counted - adjustment;
      if (value < 0) {
        const text = `a message of ${payload} bytes is too short for the adjustment; the shortest has ${adjustment - counted} bytes`;
        throw new YodelError('YODEL_UNENCODABLE_MESSAGE', text);
      }
      field.write(target, at + offset, start - after, value, payload);
      if (size > 0) writeHeader(target, at, start, layout, shape);
      return end;
    },
  };
  return {
    ...inPlace(sealing),
    shapeOf: (message) => (size === 0 ? undefined : headerFor(message, framing, size)),
  };
}

function writeHeader(target: Buffer, at: number, start: number, { offset, after }: Layout, header?: Uint8Array): void {
  if (header) {
    target.set(header.subarray(0, offset), at);
    target.set(header.subarray(offset), start - after);
  } else {
    target.fill(0, at, at + offset);
    target.fill(0, start - after, start);
  }
}

/** A copy of the header, which must have the right size; undefined if the message has none. */
function headerFor({ header, framing }: Message, { name, id }: FramingId, size: number): Uint8Array | undefined {
  if (header.length === size) return Uint8Array.from(header);
  // Headers of other framings mean something else.
  if (header.length === 0 || (framing && framing.id !== id)) return undefined;
  throw new YodelError(
    'YODEL_UNENCODABLE_MESSAGE',
    `the framing "${name}" takes a header of ${byteCount(size)}, not of ${header.length}`,
  );
}

const largestPart = 1024;

function resolveLayout(options: LengthOptions): Layout {
  const { format = 'binary', endian = 'big', offset = 0, after = 0, adjustment = 0, counts = 'payload' } = options;
  const { bytes = format === 'varint' ? 5 : 4 } = options;
  const refuse = (text: string): never => {
    throw new YodelError('YODEL_INVALID_OPTION', `the framing "length" takes ${text}`);
  };
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) refuse(`the options ${known.join(', ')}, not "${unknown}"`);
  if (!formats.includes(format)) refuse(`${list(formats)} as format, not ${JSON.stringify(format)}`);
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > 8) refuse(`a field of 1 to 8 bytes, not ${bytes}`);
  if (endian !== 'big' && endian !== 'little') refuse(`"big" or "little" as endian, not ${JSON.stringify(endian)}`);
  for (const [name, value] of Object.entries({ offset, after })) {
    const isSize = Number.isInteger(value) && value >= 0 && value <= largestPart;
    if (!isSize) refuse(`"${name}" from 0 to ${largestPart}, not ${value}`);
  }
  if (!Number.isSafeInteger(adjustment)) refuse(`a whole number as adjustment, not ${adjustment}`);
  if (!countings.includes(counts)) refuse(`${list(countings)} as counts, not ${JSON.stringify(counts)}`);
  if (format === 'varint' && (counts === 'self' || counts === 'frame')) {
    refuse('"payload" or "rest" as counts of a varint, because its own size depends on its value');
  }
  const field = lengthField(format, bytes, endian);
  const counted = { payload: 0, rest: after, self: bytes + after, frame: offset + bytes + after }[counts];
  return { bytes, format, endian, offset, after, adjustment, counts, field, counted };
}

const known = ['bytes', 'format', 'endian', 'offset', 'after', 'counts', 'adjustment'];
const formats: readonly string[] = ['binary', 'digits', 'bcd', 'varint'];
const countings: readonly string[] = ['payload', 'rest', 'self', 'frame'];

function list(values: readonly string[]): string {
  return values.map((value) => JSON.stringify(value)).join(', ');
}

function describe({ bytes, format, endian, offset, after, adjustment, counts }: Layout): string {
  const parts = format === 'varint' && bytes === 5 ? ['varint'] : [String(bytes)];
  if (format !== 'binary' && parts[0] !== 'varint') parts.push(format);
  if (endian === 'little') parts.push('little');
  if (offset !== 0) parts.push(`offset=${offset}`);
  if (after !== 0) parts.push(`after=${after}`);
  if (counts === 'self') parts.push('inclusive');
  else if (counts !== 'payload') parts.push(`counts=${counts}`);
  if (adjustment !== 0) parts.push(`adjust=${adjustment}`);
  return `length:${parts.join(',')}`;
}
