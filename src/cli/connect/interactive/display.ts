/** What a conversation shows on the screen: messages, and notices about the connection and commands. */
import { isUtf8 } from 'node:buffer';
import { hexDump } from '../../../format/hex-dump.ts';
import { formatTimeOfDay } from '../../../format/time.ts';
import type { Message } from '../../../framing/message.ts';
import { escapeBytes, escapeText } from '../../../terminal/escape.ts';
import { beforePayload } from '../../../terminal/message-parts.ts';
import type { Screen } from '../../../terminal/screen.ts';
import type { Paint } from '../../../terminal/style.ts';
import { showableText } from '../../../terminal/text.ts';
import type { Switches } from '../settings.ts';

/** A message to show. */
export interface ShownMessage {
  readonly message: Message;
  /** The message as it is on the wire. */
  readonly frame: Uint8Array;
  /** Of a reply, the round-trip time in milliseconds. */
  readonly roundTrip?: number | undefined;
}

/** Prints above the line that is being typed. */
export class Display {
  readonly #screen: Screen;
  readonly #paint: Paint;
  readonly #switches: Readonly<Switches>;
  readonly #hexOfPayload: boolean;

  /**
   * @param switches may change at any time
   * @param hexOfPayload whether the hex view shows payloads instead of frames
   */
  constructor(screen: Screen, paint: Paint, switches: Readonly<Switches>, hexOfPayload: boolean) {
    this.#screen = screen;
    this.#paint = paint;
    this.#switches = switches;
    this.#hexOfPayload = hexOfPayload;
  }

  /** Prints text that needs no escaping. */
  print(text: string): void {
    this.#screen.print(text);
  }

  /** Prints a notice. */
  notice(text: string): void {
    this.print(this.#paint('yellow', escapeText(text)));
  }

  /** Prints a command after it was entered. */
  command(line: string): void {
    this.print(this.#paint('dim', `> ${escapeText(line)}`));
  }

  /** Prints a line that was typed but not sent. */
  typed(line: string): void {
    this.print(`> ${escapeText(line)}`);
  }

  sent(shown: ShownMessage): void {
    this.#message(this.#paint('cyan', '>'), shown, showableBytes);
  }

  received(shown: ShownMessage): void {
    this.#message(this.#paint('green', '<'), shown, this.#switches.raw ? rawText : showableBytes);
  }

  #message(mark: string, { message, frame, roundTrip }: ShownMessage, textOf: (bytes: Uint8Array) => string): void {
    const { hex, timestamps } = this.#switches;
    const time = timestamps ? `${this.#paint('dim', formatTimeOfDay(new Date()))} ` : '';
    const took = roundTrip === undefined ? '' : this.#paint('dim', `  ${formatMilliseconds(roundTrip)}`);
    const parts = this.#paint('dim', beforePayload(message));
    if (!hex) return this.print(`${time}${mark} ${parts}${textOf(message.bytes)}${took}`);
    const bytes = this.#hexOfPayload ? message.bytes : frame;
    const size = this.#paint('dim', `${message.kind === 'binary' ? 'binary ' : ''}${bytes.length} B`);
    this.print(`${time}${mark} ${size}${took}\n${hexDump(bytes, this.#screen.columns)}`);
  }
}

/** A time as `0.61 ms` or `12 ms`. */
export function formatMilliseconds(time: number): string {
  return `${time < 10 ? time.toFixed(2) : time.toFixed(0)} ms`;
}

/** Escaped text in which joined emoji stay whole. */
function showableBytes(bytes: Uint8Array): string {
  return isUtf8(bytes) ? showableText(Buffer.from(bytes).toString()) : escapeBytes(bytes);
}

/** Unescaped text, followed by a reset of its colours. */
function rawText(bytes: Uint8Array): string {
  return `${Buffer.from(bytes).toString()}\x1b[m`;
}
