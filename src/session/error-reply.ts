/** The error reply: one message in the peer's framing, `error: …`. */
import { YodelError } from '../errors.ts';

/** Passes the text to `send`. Sends nothing if the framing cannot carry the text because it contains the delimiter. */
export function sendError(reason: string, send: (text: string) => void): void {
  try {
    send(`error: ${reason}`);
  } catch (thrown) {
    if (!(thrown instanceof YodelError) || thrown.code !== 'YODEL_UNENCODABLE_MESSAGE') throw thrown;
  }
}
