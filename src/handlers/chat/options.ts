/** The options of `chat()`. */
import { checkShapes } from '../../option-shapes.ts';
import { type HandlerCallbacks, takesMessages } from '../../session/handler.ts';

/** How a {@link chat} behaves. */
export interface ChatOptions {
  /**
   * Whether a session may join a room, send to it, and receive its history. A person is a room, too: `@` and the nickname in small
   * letters; `join` is asked of it for `/nick`, and `send` for `/msg`. Default: nothing is allowed.
   */
  readonly authorize?: HandlerCallbacks['authorize'] | undefined;
  /** The room that everyone is in at the start, where `authorize` allows it. Default: `lobby`. */
  readonly room?: string | undefined;
}

/** @throws YodelError `YODEL_INVALID_OPTION` */
export function checkChatOptions(options: ChatOptions): void {
  checkShapes(options, { authorize: 'function', room: 'text' }, 'chat()');
}

/** @internal It takes messages, also where the server has a codec. */
export const withMessages = takesMessages('chat()');
