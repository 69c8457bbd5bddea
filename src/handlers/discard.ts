/** Takes every message and answers none. */
import type { HandlerObject } from '../session/handler.ts';

/** For measuring and for clients that only send. */
export const discard: HandlerObject = { batch: () => undefined };
