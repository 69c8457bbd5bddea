/** Connections that are encrypted after a request: from then on their bytes have no boundaries that could be seen. */
import type { FrameReader, FramingId } from '../frames.ts';
import { reader } from './fixed.ts';

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
