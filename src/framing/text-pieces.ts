/** The text of many frames, decoded in pieces. */

/** A text that a program stores keeps no more in memory than its piece, of about this many bytes. */
export const pieceSize = 8192;

/** Decodes ASCII bytes piece by piece, in the order in which their parts are read. */
export class TextPieces {
  readonly #length: number;
  /** The piece that was decoded last, and where in the bytes it begins and ends. */
  piece = '';
  start = 0;
  end = 0;
  /** The pieces before it; undefined if they are not kept. */
  readonly #earlier: string[] | undefined;
  /** Bytes were passed over. */
  #hasGap = false;

  /** @param length the number of bytes @param keepsAll whether {@link whole} may be needed */
  constructor(length: number, keepsAll: boolean) {
    this.#length = length;
    this.#earlier = keepsAll ? [] : undefined;
  }

  /** Whether all bytes have been decoded and kept. */
  get isWhole(): boolean {
    return this.#earlier !== undefined && !this.#hasGap && this.end === this.#length;
  }

  /** Bytes of memory that the pieces take. */
  get memory(): number {
    return this.#earlier ? this.end : this.piece.length;
  }

  /** All bytes as text. */
  get whole(): string {
    return `${this.#earlier?.join('')}${this.piece}`;
  }

  /** The text of the bytes from `start` to `end`. */
  read(bytes: Buffer, start: number, end: number): string {
    // Read out of order, which is rare.
    if (start < this.start) return bytes.toString('latin1', start, end);
    if (end > this.end) this.#decode(bytes, start, end);
    return this.piece.substring(start - this.start, end - this.start);
  }

  /** Decodes the next piece, which contains the bytes from `start` to `end`. */
  #decode(bytes: Buffer, start: number, end: number): void {
    const decoded = this.end;
    // Usually the next message follows, after a few bytes of frame. Else messages in between were not read as text.
    const isNext = start - decoded < pieceSize;
    const from = isNext ? Math.min(start, decoded) : start;
    if (!isNext) this.#hasGap = true;
    else if (from > 0) this.#earlier?.push(this.piece.substring(0, from - this.start));
    this.start = from;
    this.end = Math.min(this.#length, Math.max(end, from + pieceSize));
    this.piece = bytes.toString('latin1', from, this.end);
  }
}
