/** The conversation so far, kept in memory for `:save`, and its form as text: a transcript. */
import { encode, type Framing } from '../../framing/framing.ts';
import { Queue } from '../../queue.ts';
import { formatContent } from '../../transcript/content.ts';

/** Who sent a message. */
export type Direction = 'sent' | 'received';

interface Kept {
  readonly direction: Direction;
  readonly bytes: Uint8Array;
}

/** So many bytes of messages are kept; older ones are given up for newer ones. */
const mostBytes = 67_108_864;
const arrows: Readonly<Record<Direction, string>> = { sent: '>', received: '<' };
/** What a kept message costs beside its bytes. */
const objectSize = 64;

/** What was said, oldest first. */
export class ConversationRecord {
  readonly #kept = new Queue<Kept>();
  #bytes = 0;
  #dropped = 0;

  /** Messages that are kept. */
  get count(): number {
    return this.#kept.length;
  }

  /** Messages that were given up. */
  get dropped(): number {
    return this.#dropped;
  }

  add(direction: Direction, bytes: Uint8Array): void {
    this.#kept.push({ direction, bytes });
    this.#bytes += bytes.length + objectSize;
    while (this.#bytes > mostBytes) {
      const oldest = this.#kept.shift();
      this.#bytes -= (oldest?.bytes.length ?? 0) + objectSize;
      this.#dropped++;
    }
  }

  /** The conversation as a transcript, which `yodel check` plays. */
  toText(framing: Framing): string {
    const begins = [`@framing ${framing.name}`];
    if (framing.name === 'lines' && encode(framing, '').length === 2) begins.push('@ending crlf');
    if (this.#dropped > 0) begins.push(`# the first ${this.#dropped} messages are not kept any more`);
    const lines = Array.from(this.#kept, ({ direction, bytes }) => `${arrows[direction]}${formatContent(bytes)}`);
    return `${[...begins, ...lines].join('\n')}\n`;
  }
}
