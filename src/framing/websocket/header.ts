/** The header of a frame (RFC 6455, section 5.2). */

/** What a frame is. Those of control frames have the bit 0x8. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The bit of the first byte that says that the message ends with this frame. */
export const finalBit = 0x80;
/** The bits of the first byte that extensions use. */
export const reservedBits = 0x70;
/** The bit of the opcode that control frames have. */
export const controlBit = 0x08;
/** The bit of the second byte that says that the payload is masked. */
export const maskBit = 0x80;
/** The longest payload of a control frame. */
export const maxControlSize = 125;
/** The longest header without a mask. */
export const maxHeaderSize = 10;
export const keySize = 4;

/** Values of the second byte's seven length bits for a length of two and of eight bytes. */
const twoBytes = 126;
const eightBytes = 127;
const twoTo32 = 4_294_967_296;

/** The size of the header, without a masking key, of a payload of `size` bytes. */
export function headerSizeFor(size: number): number {
  return size < twoBytes ? 2 : size < 65_536 ? 4 : maxHeaderSize;
}

/** The size of a header with this second byte, without a masking key. */
export function headerSizeOf(second: number): number {
  const bits = second & 0x7f;
  return bits < twoBytes ? 2 : bits === twoBytes ? 4 : maxHeaderSize;
}

/** The length of the payload of the frame at `at`, whose header is complete. Inexact above 2^53. */
export function payloadSize(bytes: Buffer, at: number): number {
  const bits = (bytes[at + 1] as number) & 0x7f;
  if (bits < twoBytes) return bits;
  if (bits === twoBytes) return bytes.readUInt16BE(at + 2);
  return bytes.readUInt32BE(at + 2) * twoTo32 + bytes.readUInt32BE(at + 6);
}

/**
 * What is wrong with how a header writes the length, if anything.
 *
 * @param headerSize without the masking key
 */
export function lengthProblem(header: Buffer, headerSize: number, size: number): string | undefined {
  if (headerSize !== headerSizeFor(size)) return `the length ${size} is not written in as few bytes as it needs`;
  const isTooLarge = headerSize === maxHeaderSize && (header[2] as number) > 0x7f;
  return isTooLarge ? 'the highest bit of a length of eight bytes is set' : undefined;
}

/**
 * What is wrong with a frame itself, if anything.
 *
 * @param first its first byte
 * @param isMidMessage whether a message has begun before it
 */
export function frameProblem(first: number, size: number, isMidMessage: boolean): string | undefined {
  const opcode = first & 0x0f;
  if (first & reservedBits) return 'a reserved bit is set, but no extension was negotiated';
  if (opcode & controlBit) {
    if (opcode > opcodes.pong) return `the opcode ${opcode} is not defined`;
    if (!(first & finalBit)) return 'a control frame is fragmented';
    return size > maxControlSize ? `a control frame has ${size} bytes, more than ${maxControlSize}` : undefined;
  }
  if (opcode > opcodes.binary) return `the opcode ${opcode} is not defined`;
  if (opcode === opcodes.continuation) return isMidMessage ? undefined : 'a continuation continues no message';
  return isMidMessage ? 'a message begins before the one before it has ended' : undefined;
}

/** Writes a header that ends at `end`. @param mask {@link maskBit} or 0 */
export function writeHeader(target: Buffer, end: number, opcode: number, size: number, mask = 0): void {
  const headerSize = headerSizeFor(size);
  const at = end - headerSize;
  target[at] = finalBit | opcode;
  if (headerSize === 2) {
    target[at + 1] = mask | size;
  } else if (headerSize === 4) {
    target[at + 1] = mask | twoBytes;
    target[at + 2] = size >> 8;
    target[at + 3] = size & 0xff;
  } else {
    target[at + 1] = mask | eightBytes;
    target.writeUInt32BE(Math.floor(size / twoTo32), at + 2);
    target.writeUInt32BE(size % twoTo32, at + 6);
  }
}
