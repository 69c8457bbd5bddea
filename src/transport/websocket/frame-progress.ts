/** How much of an incomplete WebSocket message has arrived: `ws` reports only whole messages. */

/** The largest frame header (RFC 6455, section 5.2): two bytes, up to eight of an extended length, four of the mask. */
const maxHeaderSize = 14;
/** Values of the header's seven length bits for an extended length of two and of eight bytes. */
const lengthOfTwo = 126;
const lengthOfEight = 127;

/** Follows the bytes of one direction from frame to frame by their headers. */
export class FrameProgress {
  readonly #header = Buffer.alloc(maxHeaderSize);
  #headerLength = 0;
  /** Bytes of the frame that have not arrived yet, after its header. */
  #remaining = 0;
  #unfinished = 0;

  /** Bytes received of the incomplete message, with the headers of its frames. Control frames such as pings do not count. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** Reads the next bytes, without changing them. */
  take(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#remaining === 0) this.#readHeader(chunk[at++] as number);
      else {
        const step = Math.min(this.#remaining, chunk.length - at);
        at += step;
        this.#remaining -= step;
        this.#count(step);
      }
      if (this.#remaining === 0 && this.#headerLength === 0 && this.#endsMessage) this.#unfinished = 0;
    }
  }

  get #isControl(): boolean {
    return ((this.#header[0] as number) & 0x08) !== 0;
  }

  get #endsMessage(): boolean {
    return !this.#isControl && ((this.#header[0] as number) & 0x80) !== 0;
  }

  #readHeader(byte: number): void {
    this.#header[this.#headerLength++] = byte;
    this.#count(1);
    if (this.#headerLength < 2) return;
    const second = this.#header[1] as number;
    const short = second & 0x7f;
    const lengthBytes = short === lengthOfEight ? 8 : short === lengthOfTwo ? 2 : 0;
    const mask = second & 0x80 ? 4 : 0;
    if (this.#headerLength < 2 + lengthBytes + mask) return;
    if (lengthBytes === 0) this.#remaining = short;
    else if (lengthBytes === 2) this.#remaining = this.#header.readUInt16BE(2);
    // Inexact above 2^53; such a message is refused for its length anyway.
    else this.#remaining = this.#header.readUInt32BE(2) * 2 ** 32 + this.#header.readUInt32BE(6);
    this.#headerLength = 0;
  }

  #count(bytes: number): void {
    if (!this.#isControl) this.#unfinished += bytes;
  }
}
