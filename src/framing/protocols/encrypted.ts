/** Connections that are encrypted after a request: from then on their bytes have no boundaries that could be seen. */
import type { FrameReader } from '../frames.ts';
import type { Encoder } from '../framing.ts';
import type { FramingId } from '../message-parts.ts';
import { reader } from '../reader.ts';
import type { FrameScanner } from '../scanning.ts';

/** The first byte of TLS. */
export const handshake = 0x16;

/** The size of a TLS record. */
const largestPiece = 16_384;

/** Reads pieces of encrypted bytes, which have nothing but a payload. */
export function encryptedReader(framing: FramingId): FrameReader {
  return reader(framing, 0, 0);
}

/** All that has arrived is one piece, up to the size of a TLS record, and not longer than a message may be. */
export function endOfPiece(bytes: Buffer, start: number, limit: number): number {
  return Math.min(bytes.length, start + Math.min(limit, largestPiece));
}

/** What both directions of a connection know of it. */
export interface Encryption {
  isEncrypted: boolean;
}

/** How the bytes of one direction are read while they can be, and which frames end that. */
export interface Readable {
  readonly scanner: FrameScanner;
  /** Whether these bytes are encrypted already, although no message has said so. Default: never. */
  isEncrypted?(bytes: Buffer, start: number): boolean;
  /** Whether everything after this frame is encrypted. */
  endsWith(bytes: Buffer, start: number, end: number): boolean;
}

/** Finds frames until the connection is encrypted, and pieces of its bytes from then on. */
export class EncryptableScanner implements FrameScanner {
  readonly #readable: Readable;
  readonly #encrypted: FrameReader;
  readonly #state: Encryption;
  readonly #limit: number;

  /** @param limit in bytes, of a message */
  constructor(readable: Readable, framing: FramingId, state: Encryption, limit: number) {
    this.#readable = readable;
    this.#encrypted = encryptedReader(framing);
    this.#state = state;
    this.#limit = limit;
  }

  get reader(): FrameReader {
    return this.#state.isEncrypted ? this.#encrypted : this.#readable.scanner.reader;
  }

  maxFrameSize(limit: number): number {
    return this.#readable.scanner.maxFrameSize(limit);
  }

  scan(bytes: Buffer, start: number, seen: number): number {
    const isEncrypted = this.#state.isEncrypted || this.#readable.isEncrypted?.(bytes, start);
    return isEncrypted ? endOfPiece(bytes, start, this.#limit) : this.#readable.scanner.scan(bytes, start, seen);
  }

  found(bytes: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (state.isEncrypted) return;
    state.isEncrypted = this.#readable.isEncrypted?.(bytes, start) || this.#readable.endsWith(bytes, start, end);
  }

  endsWithInput(bytes: Buffer): boolean {
    return !this.#state.isEncrypted && (this.#readable.scanner.endsWithInput?.(bytes) ?? false);
  }
}

/** Encodes messages until the connection is encrypted. From then on, bytes are sent as they are. */
export function encryptableEncoder({ encode, shapeOf, suits }: Encoder, state: Encryption): Encoder {
  return {
    encode: (payload, shape) => (state.isEncrypted ? Uint8Array.from(payload) : encode(payload, shape)),
    shapeOf: (message) => (state.isEncrypted ? undefined : shapeOf(message)),
    suits: (message, shape) => state.isEncrypted || (suits?.(message, shape) ?? true),
  };
}
