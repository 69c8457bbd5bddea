/** Sends every message back, byte for byte. */
import type { HandlerObject } from '../session/handler.ts';

/** The default handler. It sends a batch back as the slices in which it arrived, without looking at single messages. */
export const echo: HandlerObject = { batch: (batch) => batch };
