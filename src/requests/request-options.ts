/** What one request may be given. */
import { checkShapes, type OptionShapes } from '../option-shapes.ts';

/** Options of one request. */
export interface RequestOptions {
  /** The time limit for the reply, in milliseconds; 0 for none. Default: the option `requestTimeout`. */
  readonly timeoutMs?: number | undefined;
  /** Gives up on the reply: the request rejects with the signal's reason. The message stays sent. */
  readonly signal?: AbortSignal | undefined;
}

/** Of a request that was given none. */
export const noOptions: RequestOptions = {};

const shapes = { timeoutMs: 'other', signal: 'signal' } as const satisfies OptionShapes &
  Record<keyof RequestOptions, string>;

/**
 * Refuses options that are misspelt, and a signal that is none. The time limit is checked where it is used.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function checkRequestOptions(options: RequestOptions): void {
  if (options !== noOptions) checkShapes(options, shapes, 'request()');
}
