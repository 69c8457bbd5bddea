/** A member of a room without a connection: it takes messages rather than frames. */
import type { Message } from '../framing/message.ts';
import type { Participant } from '../session/membership.ts';
import type { Session } from '../session/public-session.ts';
import type { Inbox } from './inbox.ts';

let subscribers = 0;

/** See the top of the file. */
export class Subscriber implements Participant {
  readonly session: Session;
  readonly memberships = new Map<string, unknown>();
  readonly behind = new Set<unknown>();
  joined = 0;
  /** Rooms send each message by itself. */
  readonly wire = undefined;
  readonly #inbox: Inbox;
  readonly #receive: (message: string | Uint8Array | Message) => void;
  #drained = Promise.withResolvers<void>();

  constructor(inbox: Inbox, receive: (message: string | Uint8Array | Message) => void) {
    this.#inbox = inbox;
    this.#receive = receive;
    // Rooms use no more of a session than this.
    const session: Pick<Session, 'id' | 'undelivered' | 'close' | 'drained'> = {
      id: ++subscribers,
      undelivered: () => undefined,
      close: (error) => inbox.end(error),
      drained: () => (inbox.isFull && !inbox.hasEnded ? this.#drained.promise : Promise.resolve()),
    };
    this.session = session as Session;
  }

  get hasEnded(): boolean {
    return this.#inbox.hasEnded;
  }

  get isBehind(): boolean {
    return this.#inbox.isFull;
  }

  /** The program has taken something, or nothing more. */
  woken(): void {
    this.#drained.resolve();
    this.#drained = Promise.withResolvers();
  }

  missed(_room: string, messages: number): boolean {
    this.#inbox.add({ missed: messages });
    return true;
  }

  fellBehind(membership: unknown): void {
    this.behind.delete(membership);
    this.behind.add(membership);
  }

  caughtUp(membership: unknown): void {
    this.behind.delete(membership);
  }

  send(message: string | Uint8Array | Message): boolean {
    this.#receive(message);
    return true;
  }

  deliver(): boolean {
    return true;
  }

  flush(): void {}

  taken(): boolean {
    return false;
  }

  // It sends nothing, so it waits for nobody.

  hold(): void {}

  release(): void {}

  releaseAll(): void {}
}
