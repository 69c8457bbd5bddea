/** Length fields: numbers of a fixed width, digits, and varints. */
import { YodelError } from '../../errors.ts';
import { invalidFrame, nameByte } from '../scanning.ts';

/** How a length is written. */
export interface LengthField {
  /** Its bytes; undefined if that depends on the value. */
  readonly size: number | undefined;
  readonly maxSize: number;
  /** The bytes of the field at `at`; 0 if its last byte has not arrived. */
  sizeAt(bytes: Buffer, at: number): number;
  /** The bytes that a value takes. */
  sizeFor(value: number): number;
  /** Reads a complete field. @param frameStart for the error @throws YodelError `YODEL_INVALID_FRAME` */
  read(bytes: Buffer, at: number, frameStart: number): number;
  /** Writes the field from `at` to `end`. @param payload the payload's size, for the error @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  write(target: Buffer, at: number, end: number, value: number, payload: number): void;
}

/** The field of this format and width. */
export function lengthField(
  format: 'binary' | 'digits' | 'bcd' | 'varint',
  bytes: number,
  endian: 'big' | 'little',
): LengthField {
  if (format === 'varint') return varint(bytes);
  if (format === 'digits') return digits(bytes);
  return format === 'bcd' ? packedDigits(bytes) : binary(bytes, endian);
}

function fixed(bytes: number, largest: number, parts: Pick<LengthField, 'read' | 'write'>): LengthField {
  return {
    size: bytes,
    maxSize: bytes,
    sizeAt: () => bytes,
    sizeFor: () => bytes,
    read: parts.read,
    write(target, at, end, value, payload) {
      if (value > largest) throw tooLarge(payload, bytes);
      parts.write(target, at, end, value, payload);
    },
  };
}

function binary(bytes: number, endian: 'big' | 'little'): LengthField {
  const isBig = endian === 'big';
  const largest = bytes > 6 ? Number.MAX_SAFE_INTEGER : 2 ** (8 * bytes) - 1;
  // Node reads and writes up to six bytes at once. The upper bytes of longer fields are beyond any limit, if not 0.
  const low = Math.min(bytes, 6);
  const high = bytes - low;
  // The widths that nearly all protocols have are read and written without a call that checks everything again.
  if (bytes === 4 && isBig) return fixed(bytes, largest, { read: readUInt32BE, write: writeUInt32BE });
  if (bytes === 2 && isBig) return fixed(bytes, largest, { read: readUInt16BE, write: writeUInt16BE });
  return fixed(bytes, largest, {
    read(source, at) {
      if (high === 0) return isBig ? source.readUIntBE(at, low) : source.readUIntLE(at, low);
      const upper = isBig ? source.readUIntBE(at, high) : source.readUIntLE(at + low, high);
      return upper * 2 ** 48 + (isBig ? source.readUIntBE(at + high, low) : source.readUIntLE(at, low));
    },
    write(target, at, _end, value) {
      const upper = Math.floor(value / 2 ** 48);
      if (isBig) target.writeUIntBE(value - upper * 2 ** 48, at + high, low);
      else target.writeUIntLE(value - upper * 2 ** 48, at, low);
      if (high === 0) return;
      if (isBig) target.writeUIntBE(upper, at, high);
      else target.writeUIntLE(upper, at + low, high);
    },
  });
}

const readUInt32BE = (source: Buffer, at: number) => source.readUInt32BE(at);
const readUInt16BE = (source: Buffer, at: number) => source.readUInt16BE(at);

function writeUInt32BE(target: Buffer, at: number, _end: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

function writeUInt16BE(target: Buffer, at: number, _end: number, value: number): void {
  target[at] = value >>> 8;
  target[at + 1] = value;
}

/** Decimal digits with leading zeros: `0012`. */
function digits(bytes: number): LengthField {
  return fixed(bytes, 10 ** bytes - 1, {
    read(source, at, frameStart) {
      let value = 0;
      for (let index = at; index < at + bytes; index++) value = value * 10 + digitAt(source, index, frameStart);
      return value;
    },
    write(target, at, _end, value) {
      target.write(String(value).padStart(bytes, '0'), at, 'latin1');
    },
  });
}

/** The value of a decimal digit. @throws YodelError `YODEL_INVALID_FRAME` */
export function digitAt(bytes: Buffer, at: number, frameStart: number): number {
  const byte = bytes[at] as number;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  throw invalidFrame(at - frameStart, `expected a digit of the length, not ${nameByte(byte)}`);
}

/** Two decimal digits in each byte: 0x01 0x23 is 123. */
function packedDigits(bytes: number): LengthField {
  const largest = Math.min(Number.MAX_SAFE_INTEGER, 10 ** (2 * bytes) - 1);
  return fixed(bytes, largest, {
    read(source, at, frameStart) {
      let value = 0;
      for (let index = at; index < at + bytes; index++) {
        const byte = source[index] as number;
        if ((byte & 0x0f) > 9 || byte > 0x99) {
          throw invalidFrame(index - frameStart, `expected two packed digits of the length, not ${nameByte(byte)}`);
        }
        value = value * 100 + (byte >> 4) * 10 + (byte & 0x0f);
      }
      return value;
    },
    write(target, at, _end, value) {
      target.write(String(value).padStart(2 * bytes, '0'), at, 'hex');
    },
  });
}

/** 7 bits in each byte, the lowest first; the highest bit says that another byte follows. */
function varint(maxBytes: number): LengthField {
  const sizeFor = (value: number) => {
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
    return size;
  };
  return {
    size: undefined,
    maxSize: maxBytes,
    sizeAt(bytes, at) {
      for (let size = 1; size <= maxBytes; size++) {
        const byte = bytes[at + size - 1];
        if (byte === undefined) return 0;
        if (byte < 0x80) return size;
      }
      return maxBytes;
    },
    sizeFor,
    read(bytes, at, frameStart) {
      let value = 0;
      for (let index = 0; index < maxBytes; index++) {
        const byte = bytes[at + index] as number;
        value += (byte & 0x7f) * 2 ** (7 * index);
        if (byte < 0x80) return value;
      }
      const last = at + maxBytes - 1;
      throw invalidFrame(
        last - frameStart,
        `the length has not ended after ${maxBytes} bytes, the most that it may have`,
      );
    },
    write(target, at, end, value, payload) {
      if (end - at > maxBytes || value > Number.MAX_SAFE_INTEGER) throw tooLarge(payload, maxBytes);
      let rest = value;
      for (let index = at; index < end; index++) {
        target[index] = (rest % 128) + (index < end - 1 ? 0x80 : 0);
        rest = Math.floor(rest / 128);
      }
    },
  };
}

function tooLarge(payload: number, bytes: number): YodelError {
  return new YodelError(
    'YODEL_UNENCODABLE_MESSAGE',
    `a message of ${payload} bytes does not fit a length field of ${bytes} ${bytes === 1 ? 'byte' : 'bytes'}; use a wider one`,
  );
}
