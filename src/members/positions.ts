/** The positions of stored messages on their way to subscriptions: rooms pass on messages only. */
import { isMessage, Message } from '../framing/message.ts';
import type { StoredMessage } from '../session/joining.ts';

/** See the top of the file. */
export class Positions {
  readonly #places = new WeakMap<Message, Pick<StoredMessage, 'position' | 'time'>>();

  /** What members receive of a stored message: the same object, by which {@link of} finds its position. */
  note({ message, position, time }: StoredMessage): Message {
    this.#places.set(message, { position, time });
    return message;
  }

  /** The message as an event. */
  of(message: string | Uint8Array | Message) {
    const known = isMessage(message) ? message : Message.of(message);
    return { message: known, ...this.#places.get(known) };
  }
}
