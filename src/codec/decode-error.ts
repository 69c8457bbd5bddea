import { textOfThrown, YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';

/** The error of a message that a codec refuses, with the message. */
export class DecodeError extends YodelError {
  /** The message that could not be decoded. */
  readonly received: Message;

  /** @param cause what the codec threw; its text becomes part of this error's, and may be sent to the peer */
  constructor(received: Message, cause: unknown) {
    super('YODEL_UNDECODABLE_MESSAGE', textOf(cause), { cause });
    this.received = received;
  }
}

/** Enough for every hint. A validator may repeat what it got, which can be as long as a message. */
const longestHint = 300;

function textOf(cause: unknown): string {
  const hint = cause instanceof Error || typeof cause === 'string' ? textOfThrown(cause) : '';
  // One line, so that every framing can carry it.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are to be replaced
  const line = hint.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
  const short = line.length > longestHint ? `${line.slice(0, longestHint).toWellFormed()}…` : line;
  return short === '' ? 'invalid message' : `invalid message: ${short}`;
}
