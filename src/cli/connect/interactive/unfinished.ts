/**
 * Shows the beginning of a message whose rest has not arrived: a prompt such as `login: ` waits for what is typed, and its line
 * never ends before.
 *
 *     silence                above the typed line, in a row that is redrawn: "< login: "
 *     the rest arrives       the message takes the place of the row
 *     something is sent      the row stays where it is, and the rest of its message gets a row of its own: "< … ok"
 */
import type { UnfinishedMessage } from '../../../client/unfinished-message.ts';
import type { UnfinishedLine } from '../../../terminal/screen.ts';
import type { Display } from './display.ts';

/** The beginning of a message is shown when nothing arrived for this long, in milliseconds. */
const silenceMs = 250;

/** What is shown, and where. */
export interface UnfinishedOptions {
  readonly display: Display;
  /** The unfinished message of the connection. */
  readonly message: () => UnfinishedMessage | undefined;
  /** Whether earlier messages may not be on the screen yet. */
  readonly isBehind: () => boolean;
  /** Whether there is a typed line, which the row can be drawn above. */
  readonly hasRow: () => boolean;
  /** The row has changed. */
  readonly changed: () => void;
}

/** The unfinished message of a connection. */
export class UnfinishedReply {
  readonly #options: UnfinishedOptions;
  #timer: NodeJS.Timeout | undefined;
  #isShown = false;
  /** The bytes of the row when it was last drawn: the connection may be gone when it has to stay on the screen. */
  #drawn: Uint8Array | undefined;
  /** Bytes of its payload that were printed and stay on the screen. */
  #printed = 0;

  constructor(options: UnfinishedOptions) {
    this.#options = options;
  }

  /** Bytes have arrived. */
  arrived(): void {
    clearTimeout(this.#timer);
    if (this.#options.message()) this.#timer = setTimeout(() => this.#show(), silenceMs);
    if (this.#isShown) this.#options.changed();
  }

  /** The row to draw above the typed line. */
  get row(): UnfinishedLine | undefined {
    const message = this.#isShown ? this.#options.message() : undefined;
    const { display } = this.#options;
    this.#drawn = display.canShow(message?.bytes, this.#printed) ? Buffer.from(message.bytes) : undefined;
    if (!message || (message.bytes && message.bytes.length <= this.#printed)) return undefined;
    return display.unfinished(message, this.#printed);
  }

  /** A message has arrived whole. Returns how many bytes of it are on the screen already. */
  complete(): number {
    const printed = this.#printed;
    this.#printed = 0;
    this.#isShown = false;
    this.#drawn = undefined;
    return printed;
  }

  /** Makes the row stay where it is, because something is printed below it. Returns whether some of the message is on the screen. */
  settle(): boolean {
    const bytes = this.#isShown ? (this.#options.message()?.bytes ?? this.#drawn) : undefined;
    if (!this.#options.display.canShow(bytes, this.#printed)) return this.#printed > 0;
    const end = endOfWholeCharacters(bytes);
    if (end > this.#printed) {
      const row = bytes.subarray(this.#printed, end);
      this.#options.display.beginning(row, this.#printed);
      this.#printed = end;
    }
    this.#isShown = false;
    return this.#printed > 0;
  }

  /** The connection is lost: its unfinished message remains what it is. */
  lost(): void {
    clearTimeout(this.#timer);
    this.settle();
    this.complete();
  }

  #show(): void {
    const { message, isBehind, hasRow, changed } = this.#options;
    if (isBehind()) return this.arrived();
    if (!message()) return;
    this.#isShown = true;
    if (hasRow()) changed();
    else this.settle();
  }
}

/** Where the bytes end if a character whose last bytes are missing is left out. */
function endOfWholeCharacters(bytes: Uint8Array): number {
  const { length } = bytes;
  for (let back = 1; back <= Math.min(3, length); back++) {
    const byte = bytes[length - back] as number;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? length - back : length;
    if (byte < 0x80) break;
  }
  return length;
}
