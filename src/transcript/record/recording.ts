/** Writes a transcript of a conversation while it happens. */
import type { Protocol } from '../../framing/protocol.ts';
import { resolveWire, type WireOptions } from '../../framing/wire.ts';
import { EndingLines } from '../ending.ts';
import type { Side } from '../transcript.ts';
import { namesOf, wireLines } from '../wire.ts';
import { RecordedClient } from './client.ts';
import { type RecordedTimes, TimeLines } from './times.ts';

/** Options of a {@link Recording}: the framings of the connection, and where the text goes. */
export interface RecordingOptions extends WireOptions {
  /** Comment lines at the top, such as when and what was recorded. */
  readonly about?: readonly string[] | undefined;
  /** Receives text to append to the file: whole lines with their line ends. */
  readonly write: (text: string) => void;
  /** How times are noted. Default: as comments, if there is a clock. */
  readonly times?: RecordedTimes | undefined;
  /** A clock in milliseconds. Default: none, and no times. */
  readonly now?: (() => number) | undefined;
}

/**
 * A transcript of one client's conversation or of several: whole messages with their headers, in the order in which they were
 * completed. The transcript parses as the same messages of each client in each direction.
 */
export class Recording {
  readonly #protocol: Protocol;
  readonly #write: (text: string) => void;
  readonly #times: TimeLines;
  readonly #endings = new EndingLines();
  /** The client without a name. */
  #only: RecordedClient | undefined;

  /** Writes the top of the transcript. @throws YodelError `YODEL_INVALID_OPTION` */
  constructor({ about = [], write, times = 'comments', now, ...wire }: RecordingOptions) {
    this.#protocol = resolveWire(wire);
    this.#write = write;
    this.#times = new TimeLines(times, now);
    write([...about.map((line) => `# ${line}`), ...wireLines(namesOf(this.#protocol)), ''].join('\n'));
  }

  /** Adds bytes of the only client, in any chunks: `>` from the client, `<` from the server. */
  add(side: Side, bytes: Uint8Array): void {
    this.#onlyClient.add(side, bytes);
  }

  /** A side of the only client's connection has ended. An unfinished message is recorded where the framing allows one. */
  end(side: Side): void {
    this.#onlyClient.end(side);
  }

  get #onlyClient(): RecordedClient {
    this.#only ??= this.client();
    return this.#only;
  }

  /** Whether a connection has the framings of this transcript. */
  hasWire(protocol: Protocol): boolean {
    const own = wireLines(namesOf(this.#protocol)).join();
    return own === wireLines(namesOf(protocol)).join();
  }

  /**
   * Adds one of several clients.
   *
   * @param name undefined for the only one. With a name, the transcript says when it connected
   * @param about a comment above that line
   */
  client(name?: string, about?: string): RecordedClient {
    const comment = about === undefined ? '' : `# ${about}\n`;
    if (name !== undefined) this.#write(`${this.#times.before()}${comment}@connect ${name}\n`);
    const lines = { write: this.#write, times: this.#times, endings: this.#endings };
    return new RecordedClient(name ?? '', this.#protocol, lines);
  }
}
