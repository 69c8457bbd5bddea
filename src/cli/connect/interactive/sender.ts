/** Sends the messages of a conversation: entered and pasted lines in order, and `:repeat`. */
import { Condition } from '../../../client/condition.ts';
import { YodelError } from '../../../errors.ts';
import { formatPlural } from '../../../format/figures.ts';
import { parseBytes } from '../../../framing/escapes.ts';
import { Message } from '../../../framing/message.ts';
import type { Terminal } from '../../../terminal/terminal.ts';
import type { Switches } from '../settings.ts';
import type { Display } from './display.ts';
import { LineQueue } from './line-queue.ts';
import type { Link } from './link.ts';
import { Repeat, type RepeatRequest } from './repeat.ts';

/** Lines are queued while more bytes than this are unsent. */
const highWaterMark = 262_144;

/** What a sender uses, and its callbacks. */
export interface SenderOptions {
  readonly switches: Readonly<Switches>;
  /** The header of the first messages. */
  readonly header: Uint8Array | undefined;
  readonly link: Link;
  readonly terminal: Terminal;
  readonly display: Display;
  /** A message is about to be shown as sent. */
  readonly showing: () => void;
  /** A message was handed to the connection, and shown. */
  readonly sent: (message: Message, frame: Uint8Array) => void;
  /** Nothing is left to send. */
  readonly idle: () => void;
}

/** Sends messages as fast as the server and the terminal take them. */
export class Sender {
  readonly #options: SenderOptions;
  readonly #queue: LineQueue;
  readonly #connected = new Condition();
  #repeat: Repeat | undefined;
  /** The header of messages from now on. */
  header: Uint8Array | undefined;

  constructor(options: SenderOptions) {
    const { terminal, idle, header } = options;
    this.#options = options;
    this.header = header;
    this.#queue = new LineQueue({
      ready: () => this.#ready(),
      send: (line) => this.send(line),
      full: () => terminal.pause(),
      low: () => terminal.resume(),
      empty: idle,
    });
  }

  /** Number of lines that were not sent yet. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Sends a line after all earlier ones. */
  enqueue(line: string): void {
    this.#queue.add(line);
  }

  /** Discards the queued lines, with a notice. */
  discardQueue(): void {
    this.reportQueue();
    this.#queue.discard();
  }

  /** Shows how many lines were not sent. */
  reportQueue(): void {
    this.#options.display.notice(`${formatPlural(this.queued, 'line')} not sent`);
  }

  /** Sends text at once. Returns whether that was possible; a notice says why it was not. */
  send(text: string, hasEscapes: boolean = this.#options.switches.escapes): boolean {
    const { switches, link, terminal, display, showing, sent } = this.#options;
    try {
      if (!link.client) throw new YodelError('YODEL_NOT_CONNECTED', 'not connected: nothing was sent');
      const bytes = hasEscapes ? parseBytes(text) : Buffer.from(text);
      const message = Message.of(bytes, { header: this.header, kind: switches.binary ? 'binary' : undefined });
      // Encoded first, because this fails for a message that the framing cannot express.
      const frame = link.client.encode(message);
      link.client.send(message);
      showing();
      if (!terminal.echoes || switches.hex) display.sent({ message, frame });
      sent(message, frame);
      return true;
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      display.typed(text);
      display.notice(error.message);
      return false;
    }
  }

  /** Starts to repeat a text, and stops the current repeat. */
  repeat(request: RepeatRequest): void {
    const { link, display, idle } = this.#options;
    if (!link.client) return display.notice('not connected: nothing was sent');
    this.stopRepeat();
    this.#repeat = new Repeat(request, {
      ready: () => this.#ready(),
      send: (text) => this.send(text),
      ended: (sent) => {
        this.#repeat = undefined;
        if (sent < request.times) display.notice(`:repeat stopped after ${sent} of ${request.times}`);
      },
    });
    void this.#repeat.run().then(idle);
  }

  /** Returns whether something was being repeated. */
  stopRepeat(): boolean {
    const repeat = this.#repeat;
    repeat?.stop();
    return repeat !== undefined;
  }

  /** The link has a connection. */
  connected(): void {
    this.#connected.notify();
  }

  /** Resolves when the connection and the terminal can take a message. */
  async #ready(): Promise<void> {
    const { link, terminal } = this.#options;
    for (;;) {
      if (!link.client) await this.#connected.until(() => link.client !== undefined);
      else if (link.client.unsent > highWaterMark) await link.client.drained();
      else if (terminal.screen.isBehind) await terminal.screen.caughtUp();
      else return;
    }
  }
}
