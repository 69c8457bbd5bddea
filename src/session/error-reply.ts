/** The error reply: one message in the peer's framing, `error: …`. */
import { YodelError } from '../errors.ts';
import type { Encoder } from '../framing/framing.ts';

/** Passes the text to `send`, which sends it with this encoder. Sends nothing if the framing cannot carry the text because it contains the delimiter. */
export function sendError(encoder: Encoder, reason: string, send: (text: string) => void): void {
  try {
    send(encoder.errorPayload?.(reason) ?? `error: ${reason}`);
  } catch (thrown) {
    if (!(thrown instanceof YodelError) || thrown.code !== 'YODEL_UNENCODABLE_MESSAGE') throw thrown;
  }
}
