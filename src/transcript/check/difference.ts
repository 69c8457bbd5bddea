import type { Message } from '../../framing/message.ts';

/**
 * What is wrong at a place:
 * - `replaced`: a message came instead of the expected one
 * - `missing`: the expected message did not come
 * - `unexpected`: a message came that no line expects
 * - `failed`: something other than a message, such as a line that could not be sent, or an end that did not come
 */
export type DifferenceKind = 'replaced' | 'missing' | 'unexpected' | 'failed';

/** A place where the server differed from the transcript. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** The line that differs; for an unexpected message, the line after which it came. */
  readonly line: number;
  /** The included file that has the line; undefined for the transcript's own. */
  readonly file?: string | undefined;
  readonly client: string;
  /** The expected line; undefined when nothing was expected. */
  readonly expected: string | undefined;
  /** The payload of the message received instead; undefined when there was none. */
  readonly actual: Uint8Array | undefined;
  /** The whole message, with its header. */
  readonly received?: Message | undefined;
  /** What names in the expected line stood for when the message was compared with it. */
  readonly names?: ReadonlyMap<string, Uint8Array> | undefined;
  /** In words, such as `no message within 5000 ms`. */
  readonly reason: string;
  /** The line was not waited for, because the connection was over or the server had been silent for long. */
  readonly skipped?: boolean | undefined;
  /** An unexpected message came before its line: nothing of the client precedes it. */
  readonly isBefore?: boolean | undefined;
  /** An unexpected message came after the client had ended its side at the end of the file. */
  readonly isAfterEnd?: boolean | undefined;
  /** Nothing came after the line that is missing: it may be late, or the server is gone. */
  readonly isLast?: boolean | undefined;
  /** A wildcard took messages just before a missing line, any of which may be what the line has become. */
  readonly isAfterWildcard?: boolean | undefined;
}
