/** What comes to a session besides messages. */
import type { YodelError } from '../errors.ts';

/** Something that follows the messages before it and cannot be handled. */
export interface Fault {
  readonly error: YodelError;
  /**
   * The effect on the session. `discard`: `messages` messages are answered with the error, and the session continues.
   * `close`: the peer receives the error, and the session ends. `disconnect`: the session ends at once.
   */
  readonly effect: 'discard' | 'close' | 'disconnect';
  readonly messages: number;
}

const refusals = new WeakSet<YodelError>();

/**
 * The error with which a session ends because its codec refuses a message. It is thrown as if the handler had, so that it waits for
 * earlier calls where there are several at a time, but nothing has failed.
 */
export function refusalOf(error: YodelError): YodelError {
  refusals.add(error);
  return error;
}

/** Whether it is one of those. */
export function isRefusal(thrown: unknown): thrown is YodelError {
  return refusals.has(thrown as YodelError);
}
