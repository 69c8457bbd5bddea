/** Messages that a program created, which have no frame. */
import type { FrameReader, FramingId, MessageKind } from './frames.ts';
import { reader } from './reader.ts';

/** The framing of messages that came from no connection. */
export const noFraming: FramingId = { name: 'none', id: 'none' };

/** What a message that a program creates has besides its payload. */
export interface MessageParts {
  /** Bytes such as a type or an id, for framings with a header. Default: none. */
  readonly header?: Uint8Array | undefined;
  /** For WebSocket. Default: `text` if the payload is UTF-8. */
  readonly kind?: MessageKind | undefined;
}

/** Reads a message that a program created: all bytes are its payload. */
export function unframed(header: Uint8Array | undefined, kind: MessageKind | undefined): FrameReader {
  if (!header && !kind) return plain;
  return { ...plain, ...(header && { header: () => header }), ...(kind && { kind: () => kind }) };
}

const plain = reader(noFraming, 0, 0);
