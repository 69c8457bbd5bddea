/** How a peer learns what went wrong: one message in its own framing, `error: …`. */
import { YodelError } from '../errors.ts';

/** Passes the text to `send`. A framing that cannot carry it, because its delimiter occurs in the text, sends nothing. */
export function sendError(error: YodelError, send: (text: string) => void): void {
  try {
    send(`error: ${error.message}`);
  } catch (thrown) {
    if (!(thrown instanceof YodelError) || thrown.code !== 'YODEL_UNENCODABLE_MESSAGE') throw thrown;
  }
}
