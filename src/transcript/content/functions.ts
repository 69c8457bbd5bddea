/**
 * The functions of bytes: `{crc32:…}`. In a text line the result is text: hexadecimal digits, decimal digits or base64. In a
 * hexadecimal line it is bytes.
 */
import { createHash } from 'node:crypto';
import { textOfThrown, YodelError } from '../../errors.ts';
import type { CallPart } from '../transcript.ts';

/** A number in bytes, most significant byte first. */
function bytesOfNumber(value: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}

const crc32Table = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** The CRC-32 of zlib, Ethernet and PNG. */
function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (crc32Table[(value ^ byte) & 0xff] as number) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** The CRC-16 of Modbus. */
function crc16(bytes: Uint8Array): number {
  let value = 0xffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xa001 : value >>> 1;
  }
  return value;
}

const hash = (algorithm: string) => (bytes: Uint8Array) => createHash(algorithm).update(bytes).digest();

/** Functions whose result is bytes, which text lines show as digits. */
const digests: Readonly<Record<string, (bytes: Uint8Array) => Buffer>> = {
  xor: (bytes) => Buffer.of(bytes.reduce((sum, byte) => sum ^ byte, 0)),
  sum8: (bytes) => Buffer.of(bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0)),
  crc16: (bytes) => bytesOfNumber(crc16(bytes), 2),
  crc32: (bytes) => bytesOfNumber(crc32(bytes), 4),
  md5: hash('md5'),
  sha1: hash('sha1'),
  sha256: hash('sha256'),
};

/** The functions of bytes, by name. */
export const functionNames = [...Object.keys(digests), 'length', 'base64'];

/** Whether a name is that of a function of bytes. Functions whose result is digits may be in capital letters. */
export function isFunction(name: string): boolean {
  const lower = name.toLowerCase();
  return functionNames.includes(name) || (lower in digests && name === name.toUpperCase());
}

/** The result of a function. @throws YodelError `YODEL_INVALID_TRANSCRIPT` if it has none for these bytes */
export function callFunction({ call, own, isHex, size = 1 }: CallPart, bytes: Uint8Array): Uint8Array {
  if (own) return callOwn(call, own, bytes, isHex);
  if (call === 'base64') return Buffer.from(Buffer.from(bytes).toString('base64'));
  if (call === 'length') {
    if (!isHex) return Buffer.from(String(bytes.length));
    if (bytes.length >= 256 ** size)
      throw refusal(`{length:…} of ${bytes.length} bytes does not fit into ${size === 1 ? 'a byte' : `${size} bytes`}`);
    return bytesOfNumber(bytes.length, size);
  }
  const digest = digests[call.toLowerCase()]?.(bytes) ?? Buffer.alloc(0);
  // Modbus sends the least significant byte first.
  if (isHex) return call.toLowerCase() === 'crc16' ? digest.reverse() : digest;
  return digitsOf(digest, call === call.toUpperCase());
}

function callOwn(
  name: string,
  own: (bytes: Uint8Array) => Uint8Array | string,
  bytes: Uint8Array,
  isHex: boolean,
): Uint8Array {
  let result: unknown;
  try {
    result = own(bytes);
  } catch (error) {
    throw refusal(`the function {${name}:…} failed: ${textOfThrown(error)}`);
  }
  if (typeof result === 'string') return Buffer.from(result);
  if (!(result instanceof Uint8Array))
    throw refusal(`the function {${name}:…} must return a Uint8Array or a string, and returned ${typeof result}`);
  return isHex ? result : digitsOf(result, false);
}

function digitsOf(bytes: Uint8Array, isUpper: boolean): Buffer {
  const digits = Buffer.from(bytes).toString('hex');
  return Buffer.from(isUpper ? digits.toUpperCase() : digits);
}

function refusal(text: string): YodelError {
  return new YodelError('YODEL_INVALID_TRANSCRIPT', text);
}
