/** Blocks of header lines that end with an empty line and contain a Content-Length. */
import { invalidFrame, nameByte } from '../scanning.ts';

/** A complete block of lines. */
export interface Block {
  /** Where the line of Content-Length begins and ends, CRLF included. */
  readonly lineStart: number;
  readonly lineEnd: number;
  /** The value of Content-Length. */
  readonly length: number;
  /** Where the block ends, empty line included. */
  readonly end: number;
}

/** More digits than any message needs, and few enough for an exact number. */
export const maxLengthDigits = 15;

const CR = 0x0d;
const LF = 0x0a;
const emptyLine = Buffer.from('\r\n\r\n');

/** The bytes that a name may consist of (RFC 9110, section 5.6.2). */
const isNameByte = new Uint8Array(256);
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789")) isNameByte[byte] = 1;
for (let letter = 0x41; letter <= 0x5a; letter++)
  isNameByte.fill(1, letter, letter + 1).fill(1, letter + 32, letter + 33);

/** The offset after the empty line that ends a block; 0 if it has not arrived. */
export function endOfBlock(bytes: Buffer, start: number): number {
  const found = bytes.indexOf(emptyLine, start);
  return found === -1 ? 0 : found + emptyLine.length;
}

/**
 * Checks the lines of a block as far as they have arrived, in order, so that a wrong byte is reported at once.
 *
 * @param seen the bytes before it were checked by an earlier call, which returned 0
 * @returns the offset after the empty line; 0 if it has not arrived
 * @throws YodelError from `invalidFrame`, also if the block is longer than `maxSize`
 */
export function checkBlock(bytes: Buffer, start: number, seen: number, maxSize: number): number {
  const all = bytes.length > start + maxSize ? bytes.subarray(0, start + maxSize) : bytes;
  let line = seen > start ? Math.max(start, all.lastIndexOf(LF, seen - 1) + 1) : start;
  for (;;) {
    const end = checkLine(all, start, line, seen);
    if (end === 0) return all.length - start < maxSize ? 0 : refuse(maxSize, tooLarge(maxSize));
    if (end === line + 2) return line > start ? end : refuse(0, emptyBlock);
    line = end;
  }
}

const emptyBlock = 'expected a header line such as "Content-Length: 2", not an empty line';

function tooLarge(maxSize: number): string {
  return `the header lines have not ended after ${maxSize} bytes, the most that they may have`;
}

function refuse(offset: number, problem: string): never {
  throw invalidFrame(offset, problem);
}

/** Checks the line at `at`, except for what has been seen. @returns the offset after its CRLF; 0 if its end has not arrived */
function checkLine(bytes: Buffer, start: number, at: number, seen: number): number {
  let index = endOfSeenName(bytes, at, seen);
  while (index < bytes.length && isNameByte[bytes[index] as number] === 1) index++;
  if (index === bytes.length) return 0;
  const byte = bytes[index] as number;
  if (index === at && byte === CR) return endOfLine(bytes, start, index);
  if (index === at || byte !== 0x3a) {
    const expected = index === at ? 'the name of a header' : 'a colon after the name of a header';
    throw invalidFrame(index - start, `expected ${expected}, not ${nameByte(byte)}`);
  }
  // The last byte that was seen may be the CR.
  const end = endOfValue(bytes, Math.max(index + 1, seen - 1));
  if (isLengthName(bytes, at, index)) checkDigits(bytes, start, index + 1, end);
  if (end === bytes.length) return 0;
  if (bytes[end] === CR) return endOfLine(bytes, start, end);
  if (bytes[end] === LF) throw invalidFrame(end - start, 'header lines end with CRLF, not with LF alone');
  throw invalidFrame(end - start, `expected a character of a header, not ${nameByte(bytes[end])}`);
}

/** Where the name of a header ends, as far as it has been seen. */
function endOfSeenName(bytes: Buffer, at: number, seen: number): number {
  if (seen <= at || bytes[at] === CR) return at;
  const colon = bytes.indexOf(0x3a, at);
  return colon === -1 ? seen : Math.min(colon, seen);
}

/** The offset of the first control character other than the tab; the end of the bytes if there is none. */
function endOfValue(bytes: Buffer, at: number): number {
  for (let index = at; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) return index;
  }
  return bytes.length;
}

/** The CR at `at` must be followed by LF. @returns the offset after it; 0 if it has not arrived */
function endOfLine(bytes: Buffer, start: number, at: number): number {
  if (at + 1 >= bytes.length) return 0;
  if (bytes[at + 1] === LF) return at + 2;
  throw invalidFrame(at + 1 - start, `expected the LF of a CRLF, not ${nameByte(bytes[at + 1])}`);
}

function isLengthName(bytes: Buffer, at: number, end: number): boolean {
  return end - at === 14 && bytes.toString('latin1', at, end).toLowerCase() === 'content-length';
}

/** Checks as much of a Content-Length as there is. @param end where it ends so far */
function checkDigits(bytes: Buffer, start: number, at: number, end: number): void {
  const isComplete = end < bytes.length;
  let index = at;
  while (index < end && isBlank(bytes[index])) index++;
  const first = index;
  while (index < end && isDigit(bytes[index])) index++;
  if (index - first > maxLengthDigits) {
    const text = `the Content-Length has more than ${maxLengthDigits} digits`;
    throw invalidFrame(first + maxLengthDigits - start, text);
  }
  const lastDigit = index;
  if (lastDigit > first) while (index < end && isBlank(bytes[index])) index++;
  if (index < end || (isComplete && lastDigit === first)) {
    const found = nameByte(bytes[index]);
    throw invalidFrame(index - start, `expected the Content-Length in decimal digits, not ${found}`);
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09;
}

/**
 * Reads a block that {@link checkBlock} found complete.
 *
 * @throws YodelError from `invalidFrame` unless it contains exactly one Content-Length
 */
export function readBlock(bytes: Buffer, start: number, end: number): Block {
  let found: Block | undefined;
  for (let line = start; line < end - 2; ) {
    const lineEnd = bytes.indexOf(LF, line) + 1;
    const colon = bytes.indexOf(0x3a, line);
    if (isLengthName(bytes, line, colon)) {
      if (found) throw invalidFrame(line - start, 'a second Content-Length');
      const length = Number(bytes.toString('latin1', colon + 1, lineEnd));
      found = { lineStart: line, lineEnd, length, end };
    }
    line = lineEnd;
  }
  if (found) return found;
  throw invalidFrame(end - 2 - start, 'the header lines end without a Content-Length');
}
