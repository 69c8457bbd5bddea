/** The messages of one commit, as numbers and bytes in a few long arrays that move to the writer thread without copying. */
import { asBuffer, type Framing } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import type { EndedBy } from '../telemetry/telemetry.ts';
import type { Direction } from './journal.ts';
import { unusualShape } from './shape.ts';

/** A session whose first message is in this group. */
export interface SessionBegun {
  readonly session: number;
  readonly peer: string;
  readonly local: string;
  readonly framing: string;
  /** Milliseconds since 1970. */
  readonly began: number;
}

/** A session that has ended. */
export interface SessionEnded {
  readonly session: number;
  readonly ended: number;
  readonly endedBy: EndedBy;
  readonly error: string | null;
}

/** A group as the writer thread receives it. */
export interface GroupData {
  /** Frames, one after another. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** {@link runFields} numbers for each batch: session, direction (0 in, 1 out), time, elapsed µs, number of messages. */
  readonly runs: Float64Array<ArrayBuffer>;
  /** {@link placeFields} numbers for each message: start and end in `bytes`, shape, whether it is truncated. */
  readonly places: Uint32Array<ArrayBuffer>;
  /** Unusual shapes. The third number of a place is 0 for the usual shape, n for shape n - 1. */
  readonly shapes: readonly Uint8Array[];
  readonly begun: readonly SessionBegun[];
  readonly ended: readonly SessionEnded[];
  /** Replies not recorded since the last group. */
  readonly missed: number;
}

/** The length of an entry in `runs`. */
export const runFields = 5;
/** The length of an entry in `places`. */
export const placeFields = 4;

/** Collects the messages of one commit. */
export class Group {
  readonly #maxMessage: number;
  #bytes = Buffer.allocUnsafeSlow(16_384);
  #size = 0;
  #runs = new Float64Array(64 * runFields);
  #runCount = 0;
  #places = new Uint32Array(256 * placeFields);
  #count = 0;
  readonly #shapes: Uint8Array[] = [];
  readonly begun: SessionBegun[] = [];
  readonly ended: SessionEnded[] = [];
  /** Replies that are not recorded. */
  missed = 0;

  /** @param maxMessage the number of bytes of a message to record; 0: all */
  constructor(maxMessage: number) {
    this.#maxMessage = maxMessage;
  }

  /** The number of messages. */
  get count(): number {
    return this.#count;
  }

  /** The size of all frames, in bytes. */
  get size(): number {
    return this.#size;
  }

  get isEmpty(): boolean {
    return this.#count === 0 && this.ended.length === 0 && this.missed === 0;
  }

  /**
   * Adds the messages of a batch.
   *
   * @param time in milliseconds since 1970
   * @param elapsed in milliseconds since the server started
   */
  add(session: number, direction: Direction, framing: Framing, batch: Batch, time: number, elapsed: number): void {
    if (this.#runs.length < (this.#runCount + 1) * runFields) this.#runs = doubled(this.#runs, Float64Array);
    const code = direction === 'in' ? 0 : 1;
    this.#runs.set([session, code, time, Math.round(elapsed * 1000), batch.count], this.#runCount++ * runFields);
    let at = this.#size;
    for (const message of batch) {
      const { size, frame, terminatorSize } = message;
      this.#place(at + frame.length - terminatorSize - size, size, unusualShape(framing, message));
      at += frame.length;
    }
    for (const slice of batch.slices) this.#append(asBuffer(slice));
  }

  /** The data for the writer thread. The group must not be used afterwards. */
  data(): GroupData {
    return {
      bytes: this.#bytes,
      runs: this.#runs.subarray(0, this.#runCount * runFields),
      places: this.#places.subarray(0, this.#count * placeFields),
      shapes: this.#shapes,
      begun: this.begun,
      ended: this.ended,
      missed: this.missed,
    };
  }

  #place(start: number, size: number, shape: Uint8Array | undefined): void {
    const at = this.#count++ * placeFields;
    if (this.#places.length < at + placeFields) this.#places = doubled(this.#places, Uint32Array);
    const isTruncated = this.#maxMessage > 0 && size > this.#maxMessage;
    this.#places[at] = start;
    this.#places[at + 1] = start + (isTruncated ? this.#maxMessage : size);
    this.#places[at + 2] = shape ? this.#indexOf(shape) : 0;
    this.#places[at + 3] = isTruncated ? 1 : 0;
  }

  /** The number of a shape. There are few shapes, and most are the same as the last one. */
  #indexOf(shape: Uint8Array): number {
    const last = this.#shapes.at(-1);
    if (last && Buffer.compare(last, shape) === 0) return this.#shapes.length;
    return this.#shapes.push(Uint8Array.from(shape));
  }

  #append(slice: Buffer): void {
    const end = this.#size + slice.length;
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#size);
      this.#bytes = larger;
    }
    slice.copy(this.#bytes, this.#size);
    this.#size = end;
  }
}

function doubled<Numbers extends Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(
  numbers: Numbers,
  Form: new (length: number) => Numbers,
): Numbers {
  const larger = new Form(numbers.length * 2);
  larger.set(numbers);
  return larger;
}
