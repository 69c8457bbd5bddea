/** Counts the messages in a stream of bytes without keeping them. */
import { type Decoder, type DecoderOptions, decodeChunk, type Framing } from '../../framing/framing.ts';

/** A longer message is counted without buffering it … */
const maxCounted = 16_777_216;
/** … but with a limit on the number of messages, the decoder must find the end of each. */
const maxBuffered = 1_073_741_824;

/** Counts messages, up to a limit if there is one. */
export class MessageCounter {
  readonly #decoder: Decoder;
  readonly #limit: number;
  #count = 0;

  /**
   * @param limit number of messages to count
   * @param state what both directions of the connection share (`Protocol.createState`)
   */
  constructor(framing: Framing, limit = Number.POSITIVE_INFINITY, state?: unknown) {
    this.#limit = limit;
    const options: DecoderOptions = {
      maxMessageLength: Number.isFinite(limit) ? maxBuffered : maxCounted,
      onTooLong: 'discard',
      encoding: 'binary',
    };
    this.#decoder = framing.createDecoder(options, state);
  }

  /** Complete messages. */
  get count(): number {
    return this.#count;
  }

  /** Complete messages, and an unfinished one. */
  get started(): number {
    return this.#count + (this.#decoder.pending > 0 ? 1 : 0);
  }

  /**
   * Counts the messages that a chunk completes.
   *
   * @returns the bytes of the chunk up to the limit
   * @throws YodelError with a limit, when the end of a message cannot be found
   */
  add(chunk: Uint8Array): Uint8Array {
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      const missing = this.#limit - this.#count;
      if (batch.count >= missing) {
        batch.take(missing);
        const excess = batch.byteLength + (batch.rest?.length ?? 0) + this.#decoder.pending;
        this.#count = this.#limit;
        return chunk.subarray(0, chunk.length - excess);
      }
      if (batch.fault && Number.isFinite(this.#limit)) throw batch.fault;
      this.#count += batch.count + (batch.fault ? 1 : 0);
    }
    return chunk;
  }

  /** The stream ended: counts an unfinished message where the framing allows one. */
  end(): void {
    this.#count += this.#decoder.end().count;
  }
}
