/** Finds the end of the last message that `--count` lets through, without changing or delaying a byte. */
import { type Decoder, decodeChunk, type Framing } from '../../framing/framing.ts';

/** A message must be decoded as a whole to find its end. */
const maxMessage = 1_073_741_824;

/** The first messages of a stream of bytes. */
export class FirstMessages {
  readonly #decoder: Decoder;
  #missing: number;

  /** @param count how many messages pass */
  constructor(framing: Framing, count: number) {
    this.#missing = count;
    this.#decoder = framing.createDecoder({ maxMessageLength: maxMessage, onTooLong: 'close', encoding: 'binary' });
  }

  /** Whether all of them have passed. */
  get areComplete(): boolean {
    return this.#missing === 0;
  }

  /**
   * Returns the bytes of the chunk up to the end of the last message.
   *
   * @throws YodelError when the end of a message cannot be found
   */
  take(chunk: Uint8Array): Uint8Array {
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      if (batch.count >= this.#missing) {
        batch.take(this.#missing);
        const excess = batch.byteLength + (batch.rest?.length ?? 0) + this.#decoder.pending;
        this.#missing = 0;
        return chunk.subarray(0, chunk.length - excess);
      }
      if (batch.fault) throw batch.fault;
      this.#missing -= batch.count;
    }
    return chunk;
  }
}
