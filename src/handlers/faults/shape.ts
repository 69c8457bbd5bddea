/** Writes the bytes of one frame in pieces, as slowly as its faults say. */
import { flipBits } from './corruption.ts';
import type { Shaping } from './effects.ts';
import { randomNumber } from './random.ts';

/** Writes a piece. The promise, if any, resolves when more may be written. */
export type WritePiece = (piece: Uint8Array, isLast: boolean) => Promise<void> | undefined;

/** The direction of a session that the frame belongs to. */
export interface ShapedStream {
  /** Bytes passed on so far. */
  passedBytes: number;
  /** When the last byte at the current rate has passed, by the clock. */
  busyUntil: number;
  readonly isStopped: boolean;
  now(): number;
  /** Resolves after this time, or when the stream is stopped. */
  pause(milliseconds: number): Promise<void>;
}

/** What is done to the frame. */
export interface ShapeOptions {
  readonly shaping: Shaping | undefined;
  /** Positions of bits to flip in the frame. */
  readonly flips: readonly number[];
  /** The number of bytes of the stream at which it is cut. */
  readonly maxBytes: number | undefined;
  /** Whether it is the first one of its stream, which waits for nothing. */
  readonly isFirst: boolean;
}

/** With a rate, this much of a second is written at once, so that a slow rate is still smooth. */
const smoothness = 50;

/** The shape of one frame. */
export class Shape {
  readonly #stream: ShapedStream;
  readonly #options: ShapeOptions;

  constructor(stream: ShapedStream, options: ShapeOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  /** Writes a frame. Resolves when all of it is written, or what of it is within the limit. */
  async write(frame: Uint8Array, write: WritePiece): Promise<void> {
    const { flips, maxBytes = Number.POSITIVE_INFINITY } = this.#options;
    const stream = this.#stream;
    const bytes = flipBits(frame, flips).subarray(0, Math.max(0, maxBytes - stream.passedBytes));
    for (let at = 0, piece = 0; at < bytes.length && !stream.isStopped; piece++) {
      const end = Math.min(bytes.length, at + this.#sizeOf(piece));
      await this.#wait(piece, end - at);
      if (stream.isStopped) return;
      stream.passedBytes += end - at;
      await write(bytes.subarray(at, end), end === frame.length);
      at = end;
    }
  }

  #sizeOf(piece: number): number {
    const { rate, chunk } = this.#options.shaping ?? {};
    const smooth = rate === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(rate / smoothness));
    if (!chunk) return smooth;
    const { size, variation, key } = chunk;
    const vary = variation === 0 ? 0 : Math.floor(randomNumber(key, piece) * (2 * variation + 1)) - variation;
    return Math.min(smooth, size + vary);
  }

  async #wait(piece: number, size: number): Promise<void> {
    const { shaping, isFirst } = this.#options;
    const stream = this.#stream;
    if (shaping?.rate) {
      stream.busyUntil = Math.max(stream.now(), stream.busyUntil) + (size * 1000) / shaping.rate;
      const wait = stream.busyUntil - stream.now();
      // Timers are not finer; what is waited too little here is waited later.
      if (wait >= 1) await stream.pause(wait);
    }
    if (shaping?.chunk && !(isFirst && piece === 0)) await stream.pause(shaping.chunk.interval);
  }
}

/** Where a handler that writes the bytes itself finds the shape of the batch that it was called with. */
export const shapeOfRequest = Symbol('shape of the request');
/** Marks handlers that do so. */
export const writesShapes = Symbol('writes shapes');

/** The shape of the batch that a handler was just called with, if faults gave it one. */
export function takeShape(session: object): Shape | undefined {
  const holder = session as { [shapeOfRequest]?: Shape | undefined };
  const shape = holder[shapeOfRequest];
  if (shape) holder[shapeOfRequest] = undefined;
  return shape;
}
