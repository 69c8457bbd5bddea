/** How much of an incomplete WebSocket message has arrived: `ws` reports only whole messages. */

/** Of a frame's head (RFC 6455, section 5.2): two bytes, up to eight of an extended length, four of the mask. */
const maxHeadSize = 14;
/** Values of a head's seven length bits for an extended length of two and of eight bytes. */
const lengthOfTwo = 126;
const lengthOfEight = 127;

/** Follows the bytes of one direction from frame to frame, by their heads. */
export class FrameProgress {
  readonly #head = Buffer.alloc(maxHeadSize);
  #headLength = 0;
  /** Bytes of the frame that are still to come after its head. */
  #left = 0;
  #unfinished = 0;

  /** Bytes received of the incomplete message, with the heads of its frames. Control frames such as pings do not count. */
  get unfinished(): number {
    return this.#unfinished;
  }

  /** Reads the next bytes, without changing them. */
  take(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left === 0) this.#readHead(chunk[at++] as number);
      else {
        const step = Math.min(this.#left, chunk.length - at);
        at += step;
        this.#left -= step;
        this.#count(step);
      }
      if (this.#left === 0 && this.#headLength === 0 && this.#endsMessage) this.#unfinished = 0;
    }
  }

  get #isControl(): boolean {
    return ((this.#head[0] as number) & 0x08) !== 0;
  }

  get #endsMessage(): boolean {
    return !this.#isControl && ((this.#head[0] as number) & 0x80) !== 0;
  }

  #readHead(byte: number): void {
    this.#head[this.#headLength++] = byte;
    this.#count(1);
    if (this.#headLength < 2) return;
    const second = this.#head[1] as number;
    const short = second & 0x7f;
    const lengthBytes = short === lengthOfEight ? 8 : short === lengthOfTwo ? 2 : 0;
    const mask = second & 0x80 ? 4 : 0;
    if (this.#headLength < 2 + lengthBytes + mask) return;
    if (lengthBytes === 0) this.#left = short;
    else if (lengthBytes === 2) this.#left = this.#head.readUInt16BE(2);
    // Inexact above 2^53; such a message is refused for its length anyway.
    else this.#left = this.#head.readUInt32BE(2) * 2 ** 32 + this.#head.readUInt32BE(6);
    this.#headLength = 0;
  }

  #count(bytes: number): void {
    if (!this.#isControl) this.#unfinished += bytes;
  }
}
