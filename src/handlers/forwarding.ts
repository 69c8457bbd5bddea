/** Passes messages between a session and a program or server. Their framings may differ. */

import { YodelError } from '../errors.ts';
import { asBuffer, type DecoderOptions, encodeLike, type Framing, isSameFraming } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import type { Conversation, Protocol } from '../framing/protocol.ts';
import type { WireOptions } from '../framing/wire.ts';
import { resolveWire } from '../framing/wire.ts';
import { shapesOf } from '../option-shapes.ts';
import type { Session } from '../session/public-session.ts';

/**
 * Options to decode the other side's bytes into messages. Any bytes are valid, because they are forwarded unchanged.
 *
 * @param maxMessageLength the longest message to accept, in bytes
 */
export function decodeForwarded(maxMessageLength: number): DecoderOptions {
  return { maxMessageLength, onTooLong: 'close', encoding: 'binary' };
}

/** The other side's framings, if the options have any. @throws YodelError `YODEL_INVALID_OPTION` */
export function otherProtocol({ framing, replyFraming, protocol }: WireOptions): Protocol | undefined {
  if (framing === undefined && replyFraming === undefined && protocol === undefined) return undefined;
  return resolveWire({ framing, replyFraming, protocol, encoding: 'binary' });
}

/** How messages reach the other side. */
export interface Target {
  readonly framing: Framing;
  readonly encoder: Conversation['encoder'];
  readonly sent: Conversation['sent'];
}

/**
 * The frames of a session's messages for the other side, in bytes of their own: unchanged where the framing is the same,
 * with the bytes between them that belong to no message; else encoded again. What cannot be expressed there is reported as undelivered, and left out.
 */
export function framesFor(batch: Batch, session: Session, { framing, encoder, sent }: Target): Buffer {
  if (isSameFraming(batch.framing, framing)) {
    const bytes = Buffer.concat(batch.before ? [batch.before, ...batch.slices] : batch.slices);
    sent?.(bytes);
    return bytes;
  }
  const frames: Uint8Array[] = [];
  for (const message of batch) {
    try {
      const frame = encodeLike(framing, message, undefined, encoder);
      sent?.(frame);
      frames.push(frame);
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      session.undelivered(error);
    }
  }
  return asBuffer(Buffer.concat(frames));
}

/** Sends messages of the other side to the session's peer. Returns false if the peer is behind. */
export function forward(batch: Batch, session: Session): boolean {
  return session.send(batch) !== false;
}

/** The options of what is behind a handler: {@link otherProtocol} checks their values. */
export const wireShapes = shapesOf(['framing', 'replyFraming', 'protocol']);
