/** The conversation so far, kept in memory for `:save`, and its form as text: a transcript. */
import { isUtf8 } from 'node:buffer';
import { Queue } from '../queue.ts';
import { harmlessText } from './harmless.ts';

/** Who sent a message. */
export type Direction = 'sent' | 'received';

interface Kept {
  readonly direction: Direction;
  readonly bytes: Uint8Array;
}

/** So many bytes of messages are kept; older ones are given up for newer ones. */
const mostBytes = 67_108_864;
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

  /** The conversation as a transcript. */
  toText(): string {
    const head = this.#dropped > 0 ? `# the first ${this.#dropped} messages are not kept any more\n` : '';
    return head + Array.from(this.#kept, ({ direction, bytes }) => transcriptLine(direction, bytes)).join('');
  }
}

/**
 * One message as a line of a transcript: `> ` before what was sent, `< ` before what came. What is not plain text stands
 * behind `>\ ` or `<\ `, with escapes (`\n \r \t \0 \\ \xHH`).
 */
export function transcriptLine(direction: Direction, bytes: Uint8Array): string {
  const mark = direction === 'sent' ? '>' : '<';
  const text = isUtf8(bytes) ? Buffer.from(bytes).toString() : undefined;
  // A space at the end would be lost in the first editor that opens the file.
  if (text !== undefined && harmlessText(text) === text && !text.endsWith(' ')) return `${mark} ${text}\n`;
  return `${mark}\\ ${text === undefined ? escapeBytes(bytes) : escapeText(text)}\n`;
}

const short: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0', '\\': '\\\\' };

function escapeText(text: string): string {
  return Array.from(text, (character) => {
    if (short[character] !== undefined) return short[character];
    return harmlessText(character) === character ? character : escapeBytes(Buffer.from(character));
  })
    .join('')
    .replace(/ $/, '\\x20');
}

function escapeBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    if (short[character] !== undefined) return short[character];
    return byte >= 0x20 && byte < 0x7f ? character : `\\x${byte.toString(16).padStart(2, '0')}`;
  }).join('');
}
