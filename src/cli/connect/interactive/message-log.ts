/** The messages of a conversation, kept in memory for `:save`. */
import type { Protocol } from '../../../framing/protocol.ts';
import { Queue } from '../../../queue.ts';
import { Recording } from '../../../transcript/record/recording.ts';

/** The direction of a message. */
export type Direction = 'sent' | 'received';

interface LoggedMessage {
  readonly direction: Direction;
  readonly frame: Uint8Array;
}

/** Above this many bytes, the oldest messages are dropped. */
const maxBytes = 67_108_864;
/** Approximate overhead of a message, in bytes. */
const objectBytes = 64;

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

  /** @param frame the message as it is on the wire */
  add(direction: Direction, frame: Uint8Array): void {
    // A copy: a view would keep the chunk it came in.
    this.#messages.push({ direction, frame: Uint8Array.from(frame) });
    this.#bytes += frame.length + objectBytes;
    while (this.#bytes > maxBytes) {
      const oldest = this.#messages.shift();
      this.#bytes -= (oldest?.frame.length ?? 0) + objectBytes;
      this.#dropped++;
    }
  }

  /** The log as a transcript for `yodel check`. @param protocol of the connection */
  toTranscript(protocol: Protocol): string {
    const pieces: string[] = [];
    const recording = new Recording({ protocol, write: (text) => void pieces.push(text) });
    if (this.#dropped > 0) pieces.push(`# the first ${this.#dropped} messages were dropped\n`);
    for (const { direction, frame } of this.#messages) recording.add(direction === 'sent' ? '>' : '<', frame);
    return pieces.join('');
  }
}
