/** The messages of a conversation, kept in memory for `:save`. */
import { encode, type Framing } from '../../../framing/framing.ts';
import { Queue } from '../../../queue.ts';
import { formatContent } from '../../../transcript/content.ts';

/** The direction of a message. */
export type Direction = 'sent' | 'received';

interface LoggedMessage {
  readonly direction: Direction;
  readonly bytes: Uint8Array;
}

/** Above this many bytes, the oldest messages are dropped. */
const maxBytes = 67_108_864;
/** Approximate overhead of a message, in bytes. */
const objectBytes = 64;
const arrows: Readonly<Record<Direction, string>> = { sent: '>', received: '<' };

/** Messages in the order they were sent and received. */
export class MessageLog {
  readonly #messages = new Queue<LoggedMessage>();
  #bytes = 0;
  #dropped = 0;

  /** Number of messages in the log. */
  get count(): number {
    return this.#messages.length;
  }

  /** Number of messages dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  add(direction: Direction, bytes: Uint8Array): void {
    this.#messages.push({ direction, bytes });
    this.#bytes += bytes.length + objectBytes;
    while (this.#bytes > maxBytes) {
      const oldest = this.#messages.shift();
      this.#bytes -= (oldest?.bytes.length ?? 0) + objectBytes;
      this.#dropped++;
    }
  }

  /** The log as a transcript for `yodel check`. */
  toTranscript(framing: Framing): string {
    const head = [`@framing ${framing.name}`];
    if (framing.name === 'lines' && encode(framing, '').length === 2) head.push('@ending crlf');
    if (this.#dropped > 0) head.push(`# the first ${this.#dropped} messages were dropped`);
    const lines = Array.from(this.#messages, ({ direction, bytes }) => `${arrows[direction]}${formatContent(bytes)}`);
    return `${[...head, ...lines].join('\n')}\n`;
  }
}
