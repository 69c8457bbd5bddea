/** The error reply: one message in the peer's framing, `error: …`, or as its protocol reports errors. */
import { YodelError } from '../errors.ts';
import type { Encoder } from '../framing/framing.ts';

/** Passes the text to `send`, which sends it with this encoder. Sends nothing if the framing cannot carry the text because it contains the delimiter. */
export function sendError(encoder: Encoder, reason: string, send: (text: string) => void): void {
  const text = encoder.errorPayload ? encoder.errorPayload(reason) : `error: ${reason}`;
  if (text === undefined) return;
  try {
    send(text);
  } catch (thrown) {
    if (!(thrown instanceof YodelError) || thrown.code !== 'YODEL_UNENCODABLE_MESSAGE') throw thrown;
  }
}

/** The error of a handler whose reply cannot be sent at all. */
export function notAReply(reply: unknown): TypeError {
  const what = `${typeof reply === 'object' ? 'an object' : String(reply)} (${typeof reply})`;
  const forms = 'it takes text, bytes, a message, a batch, an array of these, or nothing';
  return new TypeError(`a handler cannot reply with ${what}; ${forms}`);
}
