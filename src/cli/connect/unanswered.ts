/** Messages that have no reply yet, in the order they were sent. */
import { Queue } from '../../queue.ts';
import { escapeBytes } from '../../terminal/escape.ts';

/** Messages beyond this number are only counted. */
const maxRemembered = 10_000;
/** How many messages are named, and how many bytes of each are shown. */
const maxNamed = 10;
const maxShown = 60;

interface Unanswered {
  readonly number: number;
  readonly excerpt: string;
  readonly sentAt: number;
}

/** Assigns replies to messages: the first reply to the oldest message. */
export class UnansweredMessages {
  readonly #remembered = new Queue<Unanswered>();
  #others = 0;

  get count(): number {
    return this.#remembered.length + this.#others;
  }

  /** @param number counted from 1 */
  add(number: number, bytes: Uint8Array): void {
    if (this.#others > 0 || this.#remembered.length >= maxRemembered) this.#others++;
    else {
      const excerpt = escapeBytes(bytes.subarray(0, maxShown));
      this.#remembered.push({ number, excerpt, sentAt: performance.now() });
    }
  }

  /** Counts a reply. Returns its round-trip time in milliseconds; undefined if unknown. */
  answer(): number | undefined {
    const oldest = this.#remembered.shift();
    if (oldest) return performance.now() - oldest.sentAt;
    if (this.#others > 0) this.#others--;
    return undefined;
  }

  /** The oldest messages, as `3: hello, 4: world, and 2 more`. */
  format(): string {
    const named = [...this.#remembered].slice(0, maxNamed).map(({ number, excerpt }) => `${number}: ${excerpt}`);
    return `${named.join(', ')}${this.count > maxNamed ? `, and ${this.count - maxNamed} more` : ''}`;
  }
}
