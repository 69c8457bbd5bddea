/** The handlers that have a name. */
import type { HandlerObject } from '../session/handler.ts';
import { chargen } from './chargen.ts';
import { chat } from './chat.ts';
import { discard } from './discard.ts';
import { echo } from './echo.ts';
import { time } from './time.ts';

/** By the name that `yodel serve` accepts. */
export const handlersByName: Readonly<Record<string, { readonly handler: HandlerObject; readonly summary: string }>> = {
  echo: { handler: echo, summary: 'sends every message back' },
  discard: { handler: discard, summary: 'discards every message' },
  time: { handler: time, summary: 'sends the time to each client, then closes the connection' },
  chargen: { handler: chargen, summary: 'sends an endless pattern of lines' },
  chat: { handler: chat({ authorize: () => true }), summary: 'lets clients talk to each other, in rooms' },
};
