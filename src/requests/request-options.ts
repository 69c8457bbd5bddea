/** What one request may be given. */
import { checkShapes, type OptionShapes } from '../option-shapes.ts';
import { checkOption } from '../option-values.ts';
import { clientOptions } from '../options.ts';

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
 * Refuses options that are misspelt, a time limit that is none, and a signal that is none.
 *
 * @param where what was called
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function checkRequestOptions(options: RequestOptions, where = 'request()'): void {
  if (options === noOptions) return;
  checkShapes(options, shapes, where);
  const { timeoutMs } = options;
  if (timeoutMs !== undefined) checkOption('timeoutMs', clientOptions.requestTimeout, timeoutMs);
}
