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
  /** It is a prompt: the reply to what was sent before it. */
  readonly prompted: () => void;
}

/** How a message that has arrived whole was shown before. */
export interface Completed {
  /** Bytes of its payload that are on the screen already. */
  readonly shown: number;
  /** Whether all of it was a prompt, which preceded what was sent last: it is not the reply to that. */
  readonly wasPrompt: boolean;
}

/** The unfinished message of a connection. */
export class UnfinishedReply {
  readonly #options: UnfinishedOptions;
  #timer: NodeJS.Timeout | undefined;
  #isShown = false;
  /** Bytes of its payload that were printed and stay on the screen. */
  #printed = 0;
  /** Bytes of its payload that were a prompt: they were shown before something else was. */
  #prompt = 0;

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
    if (!message) return undefined;
    const { size, bytes } = message;
    const whole = bytes?.subarray(0, endOfWholeCharacters(bytes));
    if (whole && whole.length <= this.#printed) return undefined;
    return this.#options.display.unfinished({ size, bytes: whole }, this.#printed);
  }

  /** A message has arrived whole. @param size of its payload */
  complete(size: number): Completed {
    const shown = this.#printed;
    const wasPrompt = this.#prompt > 0 && size <= this.#prompt;
    this.#forget();
    return { shown, wasPrompt };
  }

  /** Something is printed below the row, which therefore stays where it is. */
  settle(): void {
    const bytes = this.#isShown ? this.#options.message()?.bytes : undefined;
    if (!bytes) return;
    if (this.#options.display.canShow(bytes, this.#printed)) {
      this.#print(bytes, endOfWholeCharacters(bytes));
      this.#isShown = false;
    }
    if (bytes.length > this.#prompt) this.#options.prompted();
    this.#prompt = bytes.length;
  }

  /** The connection is lost: what has arrived of its unfinished message is all there is. */
  lost(): void {
    clearTimeout(this.#timer);
    const { message, display } = this.#options;
    const left = message();
    if (left && display.canShow(left.bytes, this.#printed)) this.#print(left.bytes, left.bytes.length);
    else if (left) display.notice(display.unfinished(left, this.#printed).text);
    this.#forget();
  }

  #print(bytes: Uint8Array, end: number): void {
    if (end <= this.#printed) return;
    this.#options.display.beginning(bytes.subarray(this.#printed, end), this.#printed);
    this.#printed = end;
  }

  #forget(): void {
    this.#printed = 0;
    this.#prompt = 0;
    this.#isShown = false;
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
    const width = byte >= 0xf5 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 0;
    if (width > 0) return back < width ? length - back : length;
    if (byte < 0x80) break;
  }
  return length;
}
