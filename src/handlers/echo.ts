/** Sends every message back, byte for byte. */
import type { HandlerObject } from '../session/handler.ts';

/** The default handler. It sends each batch back as the slices in which it arrived, without splitting it into messages. */
export const echo: HandlerObject = { batch: (batch) => batch };
