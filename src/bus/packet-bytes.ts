/** How the numbers, texts and bytes of packets are written and read. */
import { length } from '../framing/counted/length.ts';
import type { InPlaceEncoder } from '../framing/framing.ts';

/** The framing of packets on a connection. */
export const packetFraming = length();

const encoder = packetFraming.encoder.inPlace as InPlaceEncoder;

/** The size of a text in a packet: at most 255 bytes of UTF-8. */
export function textSize(text: string): number {
  return 1 + Buffer.byteLength(text);
}

/** Writes a packet. */
export class PacketWriter {
  readonly bytes: Buffer;
  #at: number;

  private constructor(bytes: Buffer, start: number) {
    this.bytes = bytes;
    this.#at = start;
  }

  /** A packet in its frame. @param size of the packet */
  static framed(size: number): PacketWriter {
    const start = encoder.headerSize(size);
    const bytes = Buffer.allocUnsafe(start + size);
    encoder.seal(bytes, 0, start, start + size);
    return new PacketWriter(bytes, start);
  }

  /** A packet without a frame, for buses that carry messages. */
  static bare(size: number): PacketWriter {
    return new PacketWriter(Buffer.allocUnsafe(size), 0);
  }

  byte(value: number): this {
    this.#at = this.bytes.writeUInt8(value, this.#at);
    return this;
  }

  short(value: number): this {
    this.#at = this.bytes.writeUInt16BE(value, this.#at);
    return this;
  }

  int(value: number): this {
    this.#at = this.bytes.writeUInt32BE(value, this.#at);
    return this;
  }

  number(value: number): this {
    this.#at = this.bytes.writeDoubleBE(value, this.#at);
    return this;
  }

  text(text: string): this {
    const size = this.bytes.write(text, this.#at + 1);
    this.bytes[this.#at] = size;
    this.#at += 1 + size;
    return this;
  }

  /** All that follows. */
  rest(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }
}

/** Reads a packet. Each method throws a RangeError at its end, and for an impossible number. */
export class PacketReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get hasMore(): boolean {
    return this.#at < this.#bytes.length;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  short(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  int(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  number(): number {
    const value = this.#bytes.readDoubleBE(this.#advance(8));
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('a packet has an impossible number');
    return value;
  }

  text(): string {
    const size = this.byte();
    const start = this.#advance(size);
    return this.#bytes.toString('utf8', start, start + size);
  }

  /** All that follows. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#advance(this.#bytes.length - this.#at));
  }

  #advance(size: number): number {
    const start = this.#at;
    if (start + size > this.#bytes.length) throw new RangeError('a packet ends too early');
    this.#at += size;
    return start;
  }
}
