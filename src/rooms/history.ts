/** The last messages of a room, for those who join it. */
import { Message } from '../framing/message.ts';
import type { ServerLimits } from '../options.ts';
import { Queue } from '../queue.ts';
import type { RoomMessage } from './segment.ts';

/** At most `roomHistory` messages, and at most `roomBuffer` bytes. */
export class History {
  readonly #messages = new Queue<Message>();
  #bytes = 0;
  #isOff = false;

  /**
   * The oldest first.
   *
   * @param pending what is not delivered yet. A session that joins now does not receive it otherwise
   */
  with(pending: readonly RoomMessage[], { roomHistory }: Pick<ServerLimits, 'roomHistory'>): readonly Message[] {
    if (roomHistory === 0) return [];
    return [...this.#messages, ...pending.map(({ message }) => ownMessage(message))].slice(-roomHistory);
  }

  add(messages: readonly RoomMessage[], limits: Pick<ServerLimits, 'roomHistory' | 'roomBuffer'>): void {
    const { roomHistory, roomBuffer } = limits;
    if (this.#isOff) return;
    if (roomHistory > 0) for (const { message } of messages.slice(-roomHistory)) this.#add(ownMessage(message));
    while (this.#messages.length > roomHistory || this.#bytes > roomBuffer) {
      this.#bytes -= costOf(this.#messages.shift() as Message);
    }
  }

  /** Keeps no more messages: nobody else can join. */
  turnOff(): void {
    this.#isOff = true;
  }

  #add(message: Message): void {
    this.#messages.push(message);
    this.#bytes += costOf(message);
  }
}

/** What a kept message costs besides its payload. */
const messageCost = 256;

function costOf(message: Message): number {
  return message.size + message.header.length + messageCost;
}

/** It must not keep the chunk that it came in. */
function ownMessage(message: RoomMessage['message']): Message {
  return typeof message === 'string' || message instanceof Uint8Array ? Message.of(message) : message.copy();
}
