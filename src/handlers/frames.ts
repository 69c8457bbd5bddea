/** How handlers that stand between a session and something else pass messages on: byte for byte, frames unchanged. */
import { type DecoderOptions, encode } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import type { Session } from '../session/handler.ts';

/**
 * How what comes from the other side is cut into messages: any bytes, for they are passed on as they are.
 *
 * @param maxMessageLength what one message may hold in memory
 */
export function passedOn(maxMessageLength: number): DecoderOptions {
  return { maxMessageLength, onTooLong: 'close', encoding: 'binary' };
}

/**
 * The frames of a session's batch in the server's framing, in memory of their own: as they came, unless the connection
 * (WebSocket) had none of that framing.
 *
 * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` when a message of a WebSocket is none of the server's framing
 */
export function framesOf(batch: Batch, session: Session): Buffer {
  if (!session.carriesMessages) return Buffer.concat(batch.slices);
  return Buffer.concat(Array.from(batch, (message) => encode(session.framing, message.bytes)));
}

/** Sends messages of the server's framing to the session's peer, as `session.send` does, and says what it says. */
export function sendOn(batch: Batch, session: Session): boolean {
  if (!session.carriesMessages) return session.send(batch);
  let goesOn = true;
  for (const message of batch) goesOn = session.send(message.bytes);
  return goesOn;
}
