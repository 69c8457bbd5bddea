import type { YodelError } from '../../errors.ts';

/** Counts the replies in a stream. */
export interface ReplyMatcher {
  /** Takes the next bytes and returns the number of replies they completed. Sets `fault` when a reply is wrong. */
  match(chunk: Uint8Array): number;
  /** The error of the first wrong reply. Nothing is matched after it. */
  readonly fault: YodelError | undefined;
  /** The number of messages still to come that the server sends before any request. They are no replies. */
  readonly greetingLeft: number;
  /** Which of the replies that the last `match` returned report an error, ascending from 0. */
  readonly failed: readonly number[];
}

/** For matchers that know no error replies. */
export const noReplies: readonly number[] = [];
