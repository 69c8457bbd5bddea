/** Writes transcripts of conversations as they happen. */
import { type Decoder, decodeChunk, type Framing } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import { formatContent } from './content.ts';
import { endingOf, longestMessage } from './frames.ts';
import type { Ending, Side } from './transcript.ts';

/** How a recording begins. */
export interface RecordingOptions {
  readonly framing: Framing;
  /** Lines of comment at the top: when, whose. */
  readonly about?: readonly string[] | undefined;
  /** Takes what is to be added to the file: whole lines, with their ends. */
  readonly write: (text: string) => void;
}

/**
 * Makes lines of what passes between a client and a server: whole messages, in the order in which they were complete. It
 * reads back as the same bytes, but for where the network cut them.
 */
export class Recording {
  readonly #options: RecordingOptions;
  readonly #decoders: Readonly<Record<Side, Decoder>>;
  #ending: Ending = 'lf';
  #hasEnded: Record<Side, boolean> = { '>': false, '<': false };

  constructor(options: RecordingOptions) {
    this.#options = options;
    const { framing, about = [], write } = options;
    const limits = { maxMessageLength: longestMessage, onTooLong: 'discard', encoding: 'binary' } as const;
    this.#decoders = { '>': framing.createDecoder(limits), '<': framing.createDecoder(limits) };
    write([...about.map((line) => `# ${line}`), `@framing ${framing.name}`, ''].join('\n'));
  }

  /** Bytes passed, as they came: `>` from the client, `<` from the server. */
  add(side: Side, bytes: Uint8Array): void {
    const decoder = this.#decoders[side];
    for (const batch of decodeChunk(decoder, bytes)) {
      this.#write(side, batch);
    }
  }

  /** A side has ended; what it had not finished is a message, if the framing has such. */
  end(side: Side): void {
    if (this.#hasEnded[side]) return;
    this.#hasEnded[side] = true;
    this.#write(side, this.#decoders[side].end());
    this.#options.write(side === '>' ? '@close\n' : '@closed\n');
  }

  #write(side: Side, batch: Batch): void {
    let text = '';
    for (const message of batch) {
      const ending = endingOf(this.#options.framing, message);
      if (ending !== undefined && ending !== this.#ending) {
        this.#ending = ending;
        text += `@ending ${ending}\n`;
      }
      text += `${side}${formatContent(message.bytes)}\n`;
    }
    if (batch.fault) text += `# ${batch.fault.message}\n`;
    if (text !== '') this.#options.write(text);
  }
}
