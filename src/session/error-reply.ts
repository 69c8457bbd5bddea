/** How a peer is told what went wrong: one message in its own framing, `error: …`. */
import { YodelError } from '../errors.ts';

/** Has `say` send the text. Where the framing cannot carry it, for a delimiter may occur in it, nothing is said. */
export function tellError(error: YodelError, say: (text: string) => void): void {
  try {
    say(`error: ${error.message}`);
  } catch (thrown) {
    if (!(thrown instanceof YodelError) || thrown.code !== 'YODEL_UNENCODABLE_MESSAGE') throw thrown;
  }
}
