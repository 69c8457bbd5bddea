/** Discards every message. */
import type { HandlerObject } from '../session/handler.ts';

/** To measure, and for clients that only send. */
export const discard: HandlerObject = { batch: () => undefined };
