/** What a conversation shows on the screen: messages, and notices about the connection and commands. */
import { isUtf8 } from 'node:buffer';
import type { UnfinishedMessage } from '../../../client/unfinished-message.ts';
import { formatPlural } from '../../../format/figures.ts';
import { hexDump } from '../../../format/hex-dump.ts';
import { formatTimeOfDay } from '../../../format/time.ts';
import type { Message } from '../../../framing/message.ts';
import { escapeBytes, escapeText } from '../../../terminal/escape.ts';
import { beforePayload } from '../../../terminal/message-parts.ts';
import type { Screen, UnfinishedLine } from '../../../terminal/screen.ts';
import type { Paint } from '../../../terminal/style.ts';
import { showableText } from '../../../terminal/text.ts';
import type { Switches } from '../settings.ts';

/** Precedes the rest of a message whose beginning was printed before something else. */
const continued = '… ';
/** More bytes of an unfinished message are only counted. */
const mostShown = 2048;

/** A message to show. */
export interface ShownMessage {
  readonly message: Message;
  /** The message as it is on the wire. */
  readonly frame: Uint8Array;
  /** Of a reply, the round-trip time in milliseconds. */
  readonly roundTrip?: number | undefined;
  /** Bytes at the beginning of the payload that are on the screen already. */
  readonly shown?: number | undefined;
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

  /** Prints the beginning of a received message whose rest has not arrived. */
  beginning(bytes: Uint8Array, shown: number): void {
    const text = this.#switches.raw ? rawText(bytes) : showableBytes(bytes);
    this.print(`${this.#time()}${this.#paint('green', '<')} ${this.#continued(shown)}${text}`);
  }

  /** Whether the beginning of a message is shown as text; otherwise its bytes are counted. @param shown how much is shown already */
  canShow(bytes: Uint8Array | undefined, shown: number): bytes is Uint8Array {
    return bytes !== undefined && !this.#switches.hex && bytes.length - shown <= mostShown;
  }

  /** The row of such a message while it may still grow. In the hex view it is text, too: a dump of it is shown when it is whole. */
  unfinished({ size, bytes }: UnfinishedMessage, shown: number): UnfinishedLine {
    const hasText = this.canShow(bytes, shown);
    const text = bytes && bytes.length - shown <= mostShown ? showableBytes(bytes.subarray(shown)) : undefined;
    const note = `${formatPlural(size, 'byte')} of an unfinished message`;
    return {
      prompt: hasText ? `< ${shown > 0 ? continued : ''}` : '< ',
      text: hasText ? (text ?? '') : `(${note}${text ? `: ${text}` : ''})`,
      paintPrompt: (part) => this.#paint('green', part),
    };
  }

  #continued(shown: number): string {
    return shown > 0 ? this.#paint('dim', continued) : '';
  }

  #time(): string {
    return this.#switches.timestamps ? `${this.#paint('dim', formatTimeOfDay(new Date()))} ` : '';
  }

  #message(
    mark: string,
    { message, frame, roundTrip, shown = 0 }: ShownMessage,
    textOf: (bytes: Uint8Array) => string,
  ): void {
    const time = this.#time();
    const took = roundTrip === undefined ? '' : this.#paint('dim', `  ${formatMilliseconds(roundTrip)}`);
    if (!this.#switches.hex) {
      const parts = shown > 0 ? this.#continued(shown) : this.#paint('dim', beforePayload(message));
      return this.print(`${time}${mark} ${parts}${textOf(message.bytes.subarray(shown))}${took}`);
    }
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
