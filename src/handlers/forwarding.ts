/** Forwards messages between a session and a program or server, byte for byte, with their frames unchanged. */
import { type DecoderOptions, encode, isSameFraming } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import type { Session } from '../session/handler.ts';

/**
 * Options to decode the other side's bytes into messages. Any bytes are valid, because they are forwarded unchanged.
 *
 * @param maxMessageLength the longest message to accept, in bytes
 */
export function decodeForwarded(maxMessageLength: number): DecoderOptions {
  return { maxMessageLength, onTooLong: 'close', encoding: 'binary' };
}

/**
 * A copy of the frames of a session's batch, in the server's framing: unchanged, unless the connection (WebSocket) does not
 * use that framing.
 *
 * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` when the server's framing cannot express a message of a WebSocket
 */
export function framesOf(batch: Batch, session: Session): Buffer {
  const { framing } = session.protocol;
  if (isSameFraming(batch.framing, framing)) return Buffer.concat(batch.slices);
  return Buffer.concat(Array.from(batch, (message) => encode(framing, message)));
}

/** Sends messages in the server's framing to the session's peer. Returns what `session.send` does. */
export function forward(batch: Batch, session: Session): boolean {
  return session.send(batch) !== false;
}
