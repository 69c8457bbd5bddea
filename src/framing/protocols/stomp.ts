/**
 * STOMP 1.2 (https://stomp.github.io/stomp-specification-1.2.html): a command, header lines, a blank line, the body, NUL. A
 * line feed between two frames is a heart-beat.
 *
 * ```
 * SEND\ndestination:/q\ncontent-length:2\n\nhi\0      header "SEND\ndestination:/q\n", payload "hi"
 * \n                                                   a heart-beat: no header, empty payload
 * ```
 *
 * The content-length is not part of the header: it is checked, and written when a message is encoded. A body without it ends at
 * the first NUL.
 */
import type { FrameReader } from '../frames.ts';
import type { Encoder, Framing } from '../framing.ts';
import type { Message } from '../message.ts';
import { reader } from '../reader.ts';
import { type FrameScanner, invalidFrame, nameByte } from '../scanning.ts';
import { binaryFraming, idOf, unencodable } from './fixed.ts';

const framing = idOf('stomp');
const LF = 0x0a;
const CR = 0x0d;
const NUL = 0x00;
/** The most bytes of a command and its header lines. Brokers allow less. */
const maxHeaderSize = 16_384;

/** Whether the frame is only the end of a line. */
function isHeartBeat(bytes: Buffer, start: number): boolean {
  return bytes[start] === LF || bytes[start] === CR;
}

/** Where the body begins, after the first blank line at or after `from`; 0 if it has not arrived. */
function bodyStart(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return 0;
}

const frames: FrameReader = reader(framing, -1, 0, {
  payloadStart: (bytes, start, end) => (isHeartBeat(bytes, start) ? end : bodyStart(bytes, start)),
  payloadEnd: (bytes, start, end) => (isHeartBeat(bytes, start) ? end : end - 1),
  terminatorSize: () => -1,
  header(bytes, start) {
    if (isHeartBeat(bytes, start)) return Buffer.alloc(0);
    const block = linesOf(bytes, start, bodyStart(bytes, start));
    return Buffer.concat(block.filter((line) => lengthIn(line) === undefined));
  },
});

/** The command and header lines, with their ends, without the blank line. */
function linesOf(bytes: Buffer, start: number, body: number): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = start; at < body; ) {
    const end = bytes.indexOf(LF, at) + 1;
    if (end < body) lines.push(bytes.subarray(at, end));
    at = end;
  }
  return lines;
}

/** The value of a content-length line, which need not be a number; undefined of any other line. */
function lengthIn(line: Buffer): string | undefined {
  const [, value] = /^content-length:(.*?)\r?\n$/.exec(line.toString('latin1')) ?? [];
  return value;
}

class StompScanner implements FrameScanner {
  readonly reader = frames;
  /** Of the frame that is being received: where its body begins, and its length, from its start. */
  #body = 0;
  #length: number | undefined;

  maxFrameSize(limit: number): number {
    return maxHeaderSize + limit + 1;
  }

  scan(bytes: Buffer, start: number, seen: number): number {
    if (bytes[start] === LF) return start + 1;
    if (bytes[start] === CR) return this.#scanCarriageReturn(bytes, start);
    if (seen === start) this.#body = 0;
    if (this.#body === 0 && !this.#scanHeader(bytes, start, seen)) return 0;
    const body = start + this.#body;
    if (this.#length !== undefined) return body + this.#length + 1;
    return bytes.indexOf(NUL, Math.max(body, seen)) + 1;
  }

  check(bytes: Buffer, start: number, end: number): void {
    if (this.#length === undefined || isHeartBeat(bytes, start) || bytes[end - 1] === NUL) return;
    throw invalidFrame(end - 1 - start, `expected NUL after the body, not ${nameByte(bytes[end - 1])}`);
  }

  #scanCarriageReturn(bytes: Buffer, start: number): number {
    const next = bytes[start + 1];
    if (next === undefined) return 0;
    if (next === LF) return start + 2;
    throw invalidFrame(1, `expected a line feed after a carriage return between frames, not ${nameByte(next)}`);
  }

  /** Returns whether the header is complete. */
  #scanHeader(bytes: Buffer, start: number, seen: number): boolean {
    // A blank line may have begun in the last bytes seen.
    const body = bodyStart(bytes, Math.max(start, seen - 2));
    if ((body === 0 ? bytes.length : body) - start > maxHeaderSize) {
      throw invalidFrame(maxHeaderSize, `the header has more than ${maxHeaderSize} bytes`);
    }
    if (body === 0) return false;
    this.#body = body - start;
    this.#length = undefined;
    for (const line of linesOf(bytes, start, body)) {
      const value = lengthIn(line);
      // Of repeated headers the first counts.
      if (value === undefined || this.#length !== undefined) continue;
      if (!/^\d{1,15}$/.test(value)) {
        throw invalidFrame(
          line.byteOffset - bytes.byteOffset - start,
          `the content-length is not a number: ${JSON.stringify(value)}`,
        );
      }
      this.#length = Number(value);
    }
    return true;
  }
}

const encoder: Encoder = {
  encode(payload, header) {
    if (!header)
      return payload.length === 0
        ? Buffer.from('\n')
        : unencodable(
            'a STOMP frame needs its command and headers as a header, such as "SEND\\ndestination:/queue/a\\n"',
          );
    const ending = header.at(-2) === CR ? '\r\n' : '\n';
    const length = `content-length:${payload.length}${ending}${ending}`;
    return Buffer.concat([header, Buffer.from(length), payload, Buffer.alloc(1)]);
  },
  shapeOf,
};

function shapeOf({ header, framing: own }: Message): Uint8Array | undefined {
  if (header.length === 0 || (own && own.id !== framing.id)) return undefined;
  const text = Buffer.from(header).toString('latin1');
  const isBlock = /^[^\r\n\0]+\r?\n(?:[^\r\n\0:]+:[^\r\n\0]*\r?\n)*$/.test(text) && !/^content-length:/m.test(text);
  if (isBlock && header.length < maxHeaderSize) return Uint8Array.from(header);
  return unencodable(
    'the header of a STOMP message is a command and header lines, each with its line end, without content-length',
  );
}

/** See the top of this file. */
export const stomp: Framing = binaryFraming(framing, () => new StompScanner(), encoder);
