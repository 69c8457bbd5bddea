import type { Message } from '../../framing/message.ts';
import type { Session } from '../../session/public-session.ts';
import type { MessageStep } from '../transcript.ts';
import { Inbox, type LeftBehind } from './inbox.ts';

/** How long a client may keep its side of a connection that is over, in milliseconds. */
const closingMs = 1000;

/** One connection of a client of the transcript: what it has sent, and what it may still send. */
export class MockClient {
  readonly name: string;
  readonly session: Session;
  /** Messages that no line has taken yet. */
  readonly inbox: Inbox;
  /** It has ended its side, after what is in the inbox. */
  hasEnded = false;
  /** Its session is closed. */
  isGone = false;
  /** It deviated, or left too early: its lines are skipped. */
  isLost = false;
  /** Whether it has gone on over TLS. */
  isSecure = false;
  /** Its TLS handshake, while that lasts. */
  handshake: Promise<void> | undefined;
  /** The server has nothing more to send to it. */
  isServed = false;
  /** The last message that matched a line. Replies get its header. */
  answered: Message | undefined;
  /** Optional lines that have been passed without a message. Until the next line matches, one of them may still come. */
  optional: MessageStep[] = [];
  /** Whether a `>*` was passed: until the next line matches, anything may come. */
  mayBeAny = false;
  /** Whether the last optional line was passed without a message. Optional replies to it are left out. */
  isUnasked = false;
  /** Resolves when the inbox is no longer full. */
  #room: PromiseWithResolvers<void> | undefined;
  #closing: NodeJS.Timeout | undefined;
  #reported = 0;
  /** Called when everything that the client's end leads to has been played. */
  #settle: (() => void)[] = [];

  /** @param left what all clients of the mock leave behind */
  constructor(name: string, session: Session, left: LeftBehind) {
    this.inbox = new Inbox(left);
    this.name = name;
    this.session = session;
  }

  /** Takes a message. @param mustWait whether no line can take it now */
  accept(message: Message, mustWait: boolean): void {
    this.inbox.push(mustWait || this.inbox.length > 0 ? message.copy() : message);
  }

  /** Says what waits. Returns a promise to wait for before the next message, if lines of others must come first. */
  room(): Promise<void> | undefined {
    this.#report();
    if (!this.inbox.isFull || this.isLost) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Accepts messages again if lines have taken some. @param isAwaited whether a line needs more of them */
  makeRoom(isAwaited = false): void {
    this.#report();
    if (this.inbox.isFull && !this.isLost && !isAwaited) return;
    this.#room?.resolve();
    this.#room = undefined;
  }

  #report(): void {
    const { bytes } = this.inbox;
    if (bytes === this.#reported || this.isGone) return;
    this.#reported = bytes;
    this.session.reportBuffered(bytes);
  }

  /** The server has ended its side, and no line follows: closes the connection if the client does not. */
  closeSoon(): void {
    if (!this.session.ended || this.isGone) return;
    this.#closing ??= setTimeout(() => this.session.close(), closingMs).unref();
  }

  /** Whether nothing more can come. */
  get isDone(): boolean {
    return this.inbox.length === 0 && (this.hasEnded || this.isGone);
  }

  /** A line was met: what was optional before it is over. */
  met(message: Message): void {
    this.answered = message;
    this.optional = [];
    this.mayBeAny = false;
    this.isUnasked = false;
  }

  /** Resolves when {@link settle} is called. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.#settle.push(resolve));
  }

  settle(): void {
    this.#room?.resolve();
    const waiting = this.#settle;
    this.#settle = [];
    for (const one of waiting) one();
  }
}
