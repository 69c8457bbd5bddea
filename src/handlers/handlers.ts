/** The handlers that can be called by name. */
import type { HandlerObject } from '../session/handler.ts';
import { chargen } from './chargen.ts';
import { discard } from './discard.ts';
import { echo } from './echo.ts';
import { time } from './time.ts';

/** By the name that `yodel serve` takes. */
export const handlersByName: Readonly<Record<string, { readonly handler: HandlerObject; readonly summary: string }>> = {
  echo: { handler: echo, summary: 'sends every message back' },
  discard: { handler: discard, summary: 'takes every message and answers none' },
  time: { handler: time, summary: 'sends the time to whoever connects, and ends' },
  chargen: { handler: chargen, summary: 'sends lines of characters without end' },
};
