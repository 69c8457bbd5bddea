/** No framing at all: every chunk is a message. */
import { YodelError } from '../errors.ts';
import type { FrameReader } from './frames.ts';
import { asBuffer, type Decoder, type DecoderOptions, type Framing, inPlace } from './framing.ts';
import { Batch } from './message.ts';

/**
 * Every chunk is a message. This is the only framing whose messages depend on chunks. A chunk longer than
 * maxMessageLength becomes several messages: there is no message boundary to break, and nothing is lost.
 *
 * Text cannot be checked, because a chunk may end inside a character.
 */
export function raw(): Framing {
  return framing;
}

class RawDecoder implements Decoder {
  readonly #limit: number;
  readonly #frames: FrameReader;
  readonly pending = 0;

  constructor(options: DecoderOptions) {
    if (options.encoding === 'utf8') {
      throw new YodelError(
        'YODEL_INVALID_OPTION',
        'the framing "raw" cannot check text, because its chunks may end inside a character; use the encoding "binary", or the framing "lines"',
      );
    }
    const limit = options.maxMessageLength;
    this.#limit = limit;
    this.#frames = {
      framing: id,
      headerSize: 0,
      ends: (bytes, count) => Array.from({ length: count }, (_, n) => Math.min((n + 1) * limit, bytes.length)),
      payloadStart: (_bytes, start) => start,
      payloadEnd: (_bytes, _start, end) => end,
      terminatorSize: () => 0,
    };
  }

  decode(bytes: Uint8Array): Batch {
    const chunk = asBuffer(bytes);
    const body = chunk.length === 0 ? undefined : chunk;
    return new Batch(this.#frames, undefined, body, Math.ceil(chunk.length / this.#limit));
  }

  end(): Batch {
    return new Batch(this.#frames, undefined, undefined, 0);
  }
}

const id = { name: 'raw', id: 'raw' };

const framing: Framing = {
  ...id,
  defaultEncoding: 'binary',
  encoder: {
    ...inPlace({ headerSize: () => 0, trailerSize: 0, seal: (_target, _at, _start, end) => end }),
    shapeOf: () => undefined,
  },
  createDecoder: (options) => new RawDecoder(options),
};
