/** Lines as they arrive, for programs that pass on everything at once and only look at it. */
import { asBuffer, type Decoder } from '../framing.ts';
import { Batch } from '../message.ts';
import type { DelimitedFrames } from './delimited.ts';
import { countByte } from './scan.ts';

/**
 * Keeps nothing: what follows the last delimiter of a chunk is a message without one, such as a prompt. No message is longer
 * than its chunk. Where a line arrives in two chunks, the result depends on them.
 */
export class AtOnceDecoder implements Decoder {
  readonly pending = 0;
  readonly #frames: DelimitedFrames;
  readonly #delimiter: number;

  /** @param frames with a delimiter of one byte */
  constructor(frames: DelimitedFrames) {
    this.#frames = frames;
    this.#delimiter = frames.delimiter[0] as number;
  }

  decode(bytes: Uint8Array): Batch {
    const chunk = asBuffer(bytes);
    if (chunk.length === 0) return this.end();
    const end = chunk.lastIndexOf(this.#delimiter) + 1;
    if (end === 0) return new Batch(this.#frames, undefined, chunk, 1);
    const count = countByte(chunk, this.#delimiter, 0, end);
    if (end === chunk.length) return new Batch(this.#frames, undefined, chunk, count);
    return new Batch(this.#frames, undefined, chunk.subarray(0, end), count, undefined, chunk.subarray(end));
  }

  end(): Batch {
    return new Batch(this.#frames, undefined, undefined, 0);
  }
}
