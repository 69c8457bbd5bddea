/** Messages of one or more lines, some of which are followed by counted bytes: the scanner of most text protocols. */
import type { FrameReader } from '../frames.ts';
import type { Encoder } from '../framing.ts';
import type { Message } from '../message.ts';
import type { FramingId } from '../message-parts.ts';
import { reader } from '../reader.ts';
import type { FrameScanner } from '../scanning.ts';
import { unencodable } from './fixed.ts';

const LF = 0x0a;
const CR = 0x0d;

/** What a line says about its message. */
export interface LineMeaning {
  /** Whether the message ends with this line, and the bytes that follow it. */
  readonly isLast: boolean;
  /** Bytes that follow the line and belong to it. Default 0. */
  readonly data?: number;
}

/** The last line of a message. */
export const last: LineMeaning = { isLast: true };
/** A line that others follow. */
export const more: LineMeaning = { isLast: false };

/**
 * Interprets the lines of one message, in order.
 *
 * @param line without its ending, one character per byte
 * @param index from 0
 */
export type LineRule = (line: string, index: number) => LineMeaning;

/** A reader of frames that end with CRLF or LF, which is not part of the payload. */
export function lineReader(framing: FramingId, others: Partial<FrameReader> = {}): FrameReader {
  return reader(framing, 0, 0, {
    payloadEnd: (bytes, start, end) => {
      // Of a frame that has not arrived whole, the usual ending.
      if (end > bytes.length) return end - 2;
      if (bytes[end - 1] !== LF) return end;
      return end - 1 > start && bytes[end - 2] === CR ? end - 2 : end - 1;
    },
    terminatorSize: () => -1,
    ...others,
  });
}

/** Finds messages line by line. One for each decoder. */
export class LineGroups implements FrameScanner {
  readonly reader: FrameReader;
  readonly #begin: () => LineRule;
  #rule: LineRule;
  /** Where the next line begins, from the frame's start, and its index. */
  #next = 0;
  #index = 0;
  /** Where the frame ends, from its start, once its last line is known. */
  #end = 0;

  /** @param begin returns the rule of the next message */
  constructor(reader: FrameReader, begin: () => LineRule) {
    this.reader = reader;
    this.#begin = begin;
    this.#rule = begin();
  }

  maxFrameSize(limit: number): number {
    return limit + 2;
  }

  scan(bytes: Buffer, start: number, seen: number): number {
    if (seen === start) this.#restart();
    while (this.#end === 0) {
      const from = start + this.#next;
      const found = from < bytes.length ? bytes.indexOf(LF, Math.max(from, seen)) : -1;
      if (found === -1) return 0;
      const end = found > from && bytes[found - 1] === CR ? found - 1 : found;
      const { isLast, data = 0 } = this.#rule(bytes.toString('latin1', from, end), this.#index++);
      this.#next = found + 1 - start + data;
      if (isLast) this.#end = this.#next;
    }
    return start + this.#end;
  }

  /** Text need not end with a line ending where the input ends. */
  endsWithInput(): boolean {
    return this.#next === 0;
  }

  #restart(): void {
    this.#rule = this.#begin();
    this.#next = 0;
    this.#index = 0;
    this.#end = 0;
  }
}

/**
 * Encodes payloads with CRLF.
 *
 * @param ruleFor returns the rule that the lines of the payload must follow, or why it cannot be sent; undefined if any lines
 *   are one message
 */
export function lineEncoder(reader: FrameReader, ruleFor: (() => LineRule) | undefined): Encoder {
  return {
    encode(payload) {
      const frame = Buffer.concat([payload, ending]);
      if (!ruleFor) return frame;
      const end = new LineGroups(reader, ruleFor).scan(frame, 0, 0);
      if (end === frame.length) return frame;
      // Counted bytes after a line need no ending.
      if (end === payload.length && end > 0 && payload[end - 1] !== LF) return Uint8Array.from(payload);
      const { name } = reader.framing;
      if (end === 0 || end > frame.length)
        return unencodable(`the message is not complete: more of it would have to follow in ${name}`);
      return unencodable(`the message would arrive as several in ${name}: the first one ends after ${end} bytes`);
    },
    shapeOf: (_message: Message) => undefined,
    suits: ({ terminatorSize }) => terminatorSize > 0,
  };
}

const ending = Buffer.from('\r\n');
