import { type Decoder, decodeChunk } from '../framing/framing.ts';
import type { Batch, Message } from '../framing/message.ts';
import { observe, type Protocol } from '../framing/protocol.ts';
import { resolveWire, type WireOptions } from '../framing/wire.ts';
import { EndingLines, unusualEnding } from './ending.ts';
import { framingOf, longestMessage } from './frames.ts';
import { formatMessage } from './message-line.ts';
import type { Side } from './transcript.ts';
import { asRead, namesOf, wireLines } from './wire.ts';

/** Options of a {@link Recording}: the framings of the connection, and where the text goes. */
export interface RecordingOptions extends WireOptions {
  /** Comment lines at the top, such as when and what was recorded. */
  readonly about?: readonly string[] | undefined;
  /** Receives text to append to the file: whole lines with their line ends. */
  readonly write: (text: string) => void;
}

/**
 * Writes a transcript of a conversation while it happens: whole messages with their headers, in the order in which they were
 * completed. The transcript parses as the same messages in each direction.
 */
export class Recording {
  readonly #write: (text: string) => void;
  readonly #decoders: Readonly<Record<Side, Decoder>>;
  readonly #lines: MessageLines;
  #hasEnded: Record<Side, boolean> = { '>': false, '<': false };

  /** @throws YodelError `YODEL_INVALID_OPTION` */
  constructor({ about = [], write, ...wire }: RecordingOptions) {
    const protocol = resolveWire(wire);
    this.#write = write;
    const limits = { maxMessageLength: longestMessage, onTooLong: 'discard', encoding: 'binary' } as const;
    const { requests, replies } = observe(protocol, limits);
    this.#decoders = { '>': requests, '<': replies };
    this.#lines = new MessageLines(protocol);
    write([...about.map((line) => `# ${line}`), ...wireLines(namesOf(protocol)), ''].join('\n'));
  }

  /** Adds bytes, in any chunks: `>` from the client, `<` from the server. */
  add(side: Side, bytes: Uint8Array): void {
    for (const batch of decodeChunk(this.#decoders[side], bytes)) this.#add(side, batch);
  }

  /** A side has ended. An unfinished message is recorded where the framing allows one. */
  end(side: Side): void {
    if (this.#hasEnded[side]) return;
    this.#hasEnded[side] = true;
    this.#add(side, this.#decoders[side].end());
    this.#write(side === '>' ? '@close\n' : '@closed\n');
  }

  #add(side: Side, batch: Batch): void {
    let text = '';
    for (const message of batch) text += this.#lines.format(side, message);
    if (batch.fault) text += `# ${batch.fault.message}\n`;
    if (text !== '') this.#write(text);
  }
}

/** Writes messages as lines of a transcript, each after an `@ending` if it ended in another way than those before it. */
export class MessageLines {
  readonly #protocol: Protocol;
  readonly #endings = new EndingLines();

  /** @param protocol of the connection */
  constructor(protocol: Protocol) {
    this.#protocol = asRead(protocol);
  }

  /** The lines of a message. */
  format(side: Side, message: Message): string {
    const framing = framingOf(this.#protocol, side);
    return `${this.#endings.before(framing, unusualEnding(framing, message))}${side}${formatMessage(message)}\n`;
  }
}
