/** Messages that a program created, which have no frame. */
import type { FrameReader } from './frames.ts';
import type { FramingId, MessageKind } from './message-parts.ts';
import { reader } from './reader.ts';

/** The framing of messages that came from no connection. */
export const noFraming: FramingId = { name: 'none', id: 'none' };

/** Reads a message that a program created: all bytes are its payload. */
export function unframed(header: Uint8Array | undefined, kind: MessageKind | undefined): FrameReader {
  if (!header && !kind) return plain;
  return { ...plain, ...(header && { header: () => header }), ...(kind && { kind: () => kind }) };
}

const plain = reader(noFraming, 0, 0);
