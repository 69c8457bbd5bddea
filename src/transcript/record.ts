import { type Decoder, decodeChunk, type Framing } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import { formatContent } from './content.ts';
import { endingOf, longestMessage } from './frames.ts';
import type { Ending, Side } from './transcript.ts';

/** Options of a {@link Recording}. */
export interface RecordingOptions {
  readonly framing: Framing;
  /** Comment lines at the top, such as when and what was recorded. */
  readonly about?: readonly string[] | undefined;
  /** Receives text to append to the file: whole lines with their line ends. */
  readonly write: (text: string) => void;
}

/**
 * Writes a transcript of a conversation while it happens: whole messages, in the order in which they were completed.
 * The transcript parses as the same bytes in each direction.
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

  /** Adds bytes, in any chunks: `>` from the client, `<` from the server. */
  add(side: Side, bytes: Uint8Array): void {
    const decoder = this.#decoders[side];
    for (const batch of decodeChunk(decoder, bytes)) {
      this.#write(side, batch);
    }
  }

  /** A side has ended. An unfinished message is recorded where the framing allows one. */
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
