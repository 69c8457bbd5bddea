/** Sends every message back as it came, byte for byte. */
import type { HandlerObject } from '../session/handler.ts';

/** The default handler. A batch goes back as the slices it came in, without a look at single messages. */
export const echo: HandlerObject = { batch: (batch) => batch };
