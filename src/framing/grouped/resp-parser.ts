/** Finds the end of a RESP value, step by step and without recursion. */
import { invalidFrame, nameByte } from '../scanning.ts';

const CR = 0x0d;
const LF = 0x0a;
const code = (char: string) => char.charCodeAt(0);
const dot = code('.');
const semicolon = code(';');
const unknownLength = code('?');
const minus = code('-');

/** What each type byte begins. */
const shapes: Readonly<Record<string, string>> = {
  '+': 'line',
  '-': 'line',
  ',': 'line',
  ':': 'integer',
  '(': 'integer',
  '#': 'boolean',
  _: 'null',
  $: 'bytes',
  '!': 'bytes',
  '=': 'bytes',
  '*': 'elements',
  '~': 'elements',
  '>': 'elements',
  '%': 'pairs',
  '|': 'attribute',
};
const shapeOf: readonly (string | undefined)[] = Array.from(
  { length: 256 },
  (_, byte) => shapes[String.fromCharCode(byte)],
);

/** Types whose length may be -1: the null of RESP2. */
const nullable = '$*';
/** Types whose length may be `?`: their parts follow, up to an end mark. */
const streamable = '$*~%';

/** The most levels of arrays, sets, maps, pushes and attributes in one another. */
export const maxDepth = 1024;
/** Digits that a JavaScript number has without loss. */
const maxDigits = 15;

const unlimited = Number.POSITIVE_INFINITY;

/** What one level takes: an object and its place in an array. */
const levelSize = 64;

/** An aggregate that is not complete. */
interface Level {
  readonly kind: 'counted' | 'attribute' | 'streamed' | 'streamedPairs' | 'streamedBytes';
  /** Elements that have not begun; of a streamed one, those that are complete. */
  count: number;
}

/**
 * The state of one value: how far it was read, and the aggregates it is inside of. So each byte is read once, whatever the
 * chunks, and the bytes before {@link at} are not needed any more.
 */
export class RespParser {
  /** Offset of the first byte that was not read, in the bytes of the next call. */
  at = 0;
  /** The offset of the value's first byte, for errors; below 0 once bytes were dropped. */
  #start = 0;
  #levels: Level[] = [];
  /** The bytes of a string and its CRLF that are not read yet; -1 outside a string. */
  #missing = -1;
  /** Bytes after `at` that contain no LF. */
  #searched = 0;
  /** A line has begun and not ended. */
  #isInLine = false;
  /** An attribute has been read, and the value it belongs to has not begun. */
  #isDue = false;
  /** Where the length that was read last begins. */
  #head = 0;
  /** How many bytes of the value precede the string that is being read, or was read last. */
  #beforeString = 0;
  /** Lines are not checked, so that they need not be kept. */
  #isRelaxed = false;

  /** Bytes of memory that the aggregates take. */
  get memory(): number {
    return this.#levels.length * levelSize;
  }

  /** Begins a value at `start`. */
  begin(start: number): void {
    this.at = start;
    this.#start = start;
    if (this.#levels.length > 0) this.#levels = [];
    this.#missing = -1;
    this.#searched = 0;
    this.#isInLine = false;
    this.#isDue = false;
    this.#isRelaxed = false;
  }

  /** In the bytes of the next call, the value begins at `start`. */
  moveTo(start: number): void {
    this.at += start - this.#start;
    this.#start = start;
  }

  /** The bytes of the next call begin with the one at {@link at}. */
  drop(): void {
    this.#start -= this.at;
    this.at = 0;
  }

  /** From now on, at most a few of the last bytes are needed again, because what lines contain is not checked. */
  relax(bytes: Buffer): void {
    this.#isRelaxed = true;
    if (this.#isInLine) this.#waitForLine(bytes);
  }

  /**
   * Reads on.
   *
   * @param within the value's end is foretold only if this many of its bytes tell it
   * @param limit a value that is foretold to be longer is not read to its end
   * @returns where the value ends; more than `bytes.length` if only that many bytes are missing; 0 if that is not known yet
   * @throws YodelError `YODEL_INVALID_FRAME`
   */
  read(bytes: Buffer, within = unlimited, limit = unlimited): number {
    for (;;) {
      const isRead = this.#missing >= 0 ? this.#readBytes(bytes) : this.#readValue(bytes);
      if (!isRead) return this.#knownEnd(within);
      if (this.#missing >= 0) {
        const isLong = this.at + this.#missing - this.#start > limit;
        const end = isLong ? this.#knownEnd(within) : 0;
        if (end > 0) return end;
      } else if (this.#levels.length === 0 && !this.#isDue) return this.at;
    }
  }

  /** The value's end, if it is the one of the string that is being read. */
  #knownEnd(within: number): number {
    if (this.#missing < 0 || this.#beforeString > within) return 0;
    const isLast = this.#levels.every(({ kind, count }) => kind === 'counted' && count === 0);
    return isLast ? this.at + this.#missing : 0;
  }

  /** Reads the rest of a string, and its CRLF. @returns whether it is complete */
  #readBytes(bytes: Buffer): boolean {
    const end = this.at + this.#missing;
    // The string itself may be dropped as it arrives; its CRLF is read at once.
    const read = Math.min(end - 2, bytes.length);
    if (read > this.at) {
      this.#missing -= read - this.at;
      this.at = read;
    }
    if (bytes.length > end - 2) this.#expect(bytes, end - 2, CR, 'CR after the string');
    if (bytes.length < end) return false;
    this.#expect(bytes, end - 1, LF, 'LF after the string');
    this.at = end;
    this.#missing = -1;
    // The parts of a streamed string are no elements.
    if (this.#levels.at(-1)?.kind !== 'streamedBytes') this.#complete();
    return true;
  }

  /** Reads one line: a simple value, or the beginning of a string or aggregate. @returns whether it is complete */
  #readValue(bytes: Buffer): boolean {
    const { at } = this;
    if (at >= bytes.length) return false;
    if (this.#isInLine) return this.#readLine(bytes);
    const byte = bytes[at] as number;
    const top = this.#levels.at(-1);
    if (top?.kind === 'streamedBytes') return this.#readPart(bytes);
    if (byte === dot && (top?.kind === 'streamed' || top?.kind === 'streamedPairs')) return this.#readEnd(bytes, top);
    const shape = shapeOf[byte];
    if (shape === undefined) throw this.#invalid(at, `expected the type of a value, not ${nameByte(byte)}`);
    if (shape === 'line' || shape === 'integer' || shape === 'boolean' || shape === 'null') {
      this.#isInLine = true;
      this.#searched = 0;
      return this.#readLine(bytes);
    }
    return this.#readHead(bytes, byte, shape);
  }

  /** Reads the length of a string or aggregate. */
  #readHead(bytes: Buffer, type: number, shape: string): boolean {
    const length = this.#readLength(bytes, String.fromCharCode(type));
    if (length === undefined) return false;
    this.#isDue = false;
    if (length === -1) this.#complete();
    else if (length === -2) {
      this.#push(shape === 'bytes' ? 'streamedBytes' : shape === 'pairs' ? 'streamedPairs' : 'streamed', 0);
    } else if (shape === 'bytes') this.#beginString(length);
    else if (shape === 'attribute') {
      if (length > 0) this.#push('attribute', 2 * length);
      else this.#isDue = true;
    } else if (length > 0) this.#push('counted', shape === 'pairs' ? 2 * length : length);
    else this.#complete();
    return true;
  }

  /** Reads the head of a part of a streamed string; an empty part is its end. */
  #readPart(bytes: Buffer): boolean {
    const { at } = this;
    if (bytes[at] !== semicolon)
      throw this.#invalid(at, `expected a part of the string, ";", not ${nameByte(bytes[at])}`);
    const length = this.#readLength(bytes, ';');
    if (length === undefined) return false;
    if (length > 0) this.#beginString(length);
    else {
      this.#levels.pop();
      this.#complete();
    }
    return true;
  }

  #beginString(length: number): void {
    this.#missing = length + 2;
    this.#beforeString = this.at - this.#start;
  }

  /** Reads the end mark of a streamed aggregate. */
  #readEnd(bytes: Buffer, top: Level): boolean {
    if (this.#isDue) throw this.#invalid(this.at, 'expected the value of the attribute, not "." (0x2e)');
    if (top.kind === 'streamedPairs' && top.count % 2 === 1) {
      throw this.#invalid(this.at, 'expected the value of a key, not "." (0x2e)');
    }
    const { at } = this;
    if (at + 1 < bytes.length) this.#expect(bytes, at + 1, CR, 'CR');
    if (at + 2 < bytes.length) this.#expect(bytes, at + 2, LF, 'LF');
    if (at + 3 > bytes.length) return false;
    this.at = at + 3;
    this.#levels.pop();
    this.#complete();
    return true;
  }

  /** An element is complete, and so may be the aggregates that it is the last one of. */
  #complete(): void {
    for (let top = this.#levels.at(-1); top; top = this.#levels.at(-1)) {
      if (top.kind !== 'counted' && top.kind !== 'attribute') {
        top.count++;
        return;
      }
      // The element itself was counted when the one before it was complete.
      if (top.count > 0) {
        top.count--;
        return;
      }
      this.#levels.pop();
      if (top.kind === 'attribute') {
        this.#isDue = true;
        return;
      }
    }
  }

  /** @param count of a counted one: its elements, of which the first begins now */
  #push(kind: Level['kind'], count: number): void {
    if (this.#levels.length === maxDepth) {
      throw this.#invalid(this.#head, `values are nested more than ${maxDepth} levels deep`);
    }
    this.#levels.push({ kind, count: Math.max(0, count - 1) });
  }

  /**
   * Reads a type byte, a length and CRLF. Each byte is checked as soon as it has arrived.
   *
   * @returns the length; -1 for null, -2 for `?`; undefined if it is not complete
   */
  #readLength(bytes: Buffer, type: string): number | undefined {
    const { at } = this;
    let length = 0;
    let index = at + 1;
    if (bytes[index] === unknownLength && streamable.includes(type)) {
      length = -2;
      index++;
    } else if (bytes[index] === minus && nullable.includes(type)) {
      index++;
      if (index === bytes.length) return undefined;
      if (bytes[index] !== code('1')) throw this.#invalid(index, `expected -1, not -${nameByte(bytes[index])}`);
      length = -1;
      index++;
    } else {
      for (; index < bytes.length && bytes[index] !== CR; index++) {
        const digit = (bytes[index] as number) - 0x30;
        if (!(digit >= 0 && digit <= 9)) {
          throw this.#invalid(index, `expected a digit of the length, not ${nameByte(bytes[index])}`);
        }
        if (index - at > maxDigits) throw this.#invalid(index, `the length has more than ${maxDigits} digits`);
        length = length * 10 + digit;
      }
      if (index === at + 1 && index < bytes.length) throw this.#invalid(index, 'the length has no digits');
    }
    if (index < bytes.length) this.#expect(bytes, index, CR, 'CR after the length');
    if (index + 1 < bytes.length) this.#expect(bytes, index + 1, LF, 'LF after the length');
    if (index + 2 > bytes.length) return undefined;
    this.#head = at;
    this.at = index + 2;
    return length;
  }

  /** Reads the rest of a line. @returns whether it is complete */
  #readLine(bytes: Buffer): boolean {
    const { at } = this;
    const found = bytes.indexOf(LF, at + this.#searched);
    if (found === -1) {
      this.#waitForLine(bytes);
      return false;
    }
    if (!this.#isRelaxed) this.#checkLine(bytes, found - 1);
    if (bytes[found - 1] !== CR) throw this.#invalid(found, 'LF without a CR before it');
    this.at = found + 1;
    this.#isInLine = false;
    this.#isDue = false;
    this.#complete();
    return true;
  }

  #waitForLine(bytes: Buffer): void {
    // Its last byte may be CR.
    if (this.#isRelaxed) this.at = bytes.length - 1;
    this.#searched = bytes.length - this.at;
  }

  /** Checks a line of a simple type. @param end the offset before its LF, where CR must be */
  #checkLine(bytes: Buffer, end: number): void {
    const shape = shapeOf[bytes[this.at] as number];
    const start = this.at + 1;
    const first = bytes.indexOf(CR, start);
    if (first !== -1 && first < end) throw this.#invalid(first + 1, 'expected LF after CR');
    if (bytes[end] !== CR) return;
    if (shape === 'null' && end > start) throw this.#invalid(start, `expected CR, not ${nameByte(bytes[start])}`);
    if (shape === 'boolean' && (end !== start + 1 || !isBoolean(bytes[start]))) {
      const wrong = isBoolean(bytes[start]) ? start + 1 : start;
      throw this.#invalid(wrong, `expected t or f, not ${nameByte(bytes[wrong])}`);
    }
    if (shape === 'integer') this.#checkDigits(bytes, start, end);
  }

  #checkDigits(bytes: Buffer, start: number, end: number): void {
    const sign = bytes[start];
    const first = sign === minus || sign === code('+') ? start + 1 : start;
    for (let at = first; at < end || at === first; at++) {
      const byte = bytes[at] as number;
      if (byte < 0x30 || byte > 0x39) throw this.#invalid(at, `expected a digit, not ${nameByte(byte)}`);
    }
  }

  #expect(bytes: Buffer, at: number, expected: number, what: string): void {
    if (bytes[at] !== expected) throw this.#invalid(at, `expected ${what}, not ${nameByte(bytes[at])}`);
  }

  #invalid(at: number, problem: string): Error {
    return invalidFrame(at - this.#start, problem);
  }
}

function isBoolean(byte: number | undefined): boolean {
  return byte === code('t') || byte === code('f');
}

/** Whether values may begin with this byte. */
export function isTypeByte(byte: number | undefined): boolean {
  return byte !== undefined && shapeOf[byte] !== undefined;
}
