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
