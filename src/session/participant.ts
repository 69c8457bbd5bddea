/** A session in rooms. */
import type { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { Connection } from '../transport/transport.ts';
import type { Holder, Participant } from './membership.ts';
import type { Outbox } from './outbox.ts';
import type { Session } from './public-session.ts';
import type { Runner } from './runner.ts';
import type { ValueSession } from './values/send-value.ts';
import type { Wire } from './wire.ts';

/** A session, as its participant sees it. */
export interface OwnerOfParticipant extends Session, ValueSession {
  /** Writes what was appended, decides whether to read, and accounts for the memory. */
  settle(): void;
  /** Writes what was appended. */
  flush(): void;
  turnSoon(): void;
}

const none: ReadonlySet<never> = new Set<never>();

/** Created when the session joins its first room. */
export class SessionParticipant implements Participant {
  readonly session: OwnerOfParticipant;
  readonly memberships = new Map<string, unknown>();
  joined = 0;
  /** Created when a membership first falls behind, as the holders: most sessions need neither. */
  #behind: Set<unknown> | undefined;
  #holders: Set<Holder> | undefined;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #runner: Runner;

  constructor(session: OwnerOfParticipant, connection: Connection, outbox: Outbox, runner: Runner) {
    this.session = session;
    this.#connection = connection;
    this.#outbox = outbox;
    this.#runner = runner;
  }

  get behind(): ReadonlySet<unknown> {
    return this.#behind ?? none;
  }

  get wire(): Wire | undefined {
    return this.#outbox.wire;
  }

  get hasEnded(): boolean {
    return this.session.ended;
  }

  get isBehind(): boolean {
    return this.#outbox.isBehind;
  }

  send(message: string | Uint8Array | Message): boolean | YodelError {
    return this.session.sendEncoded(message);
  }

  deliver(frames: Buffer, messages: number): boolean {
    // A reply that cannot be encoded is the failure of this session only.
    this.#outbox.completeFrame();
    this.session.flush();
    if (this.session.ended) return true;
    this.#outbox.appendShared(frames, messages);
    // As a reply: it notices when output begins to wait for the peer.
    this.session.settle();
    return this.#connection.unsent === 0;
  }

  flush(): void {
    this.session.flush();
  }

  missed(room: string, messages: number): boolean {
    const isTold = this.#runner.missed(room, messages);
    this.session.turnSoon();
    return isTold;
  }

  taken(room: string): boolean {
    const isTold = this.#runner.taken(room);
    this.session.turnSoon();
    return isTold;
  }

  fellBehind(membership: unknown): void {
    this.#behind ??= new Set();
    this.#behind.delete(membership);
    this.#behind.add(membership);
  }

  caughtUp(membership: unknown): void {
    this.#behind?.delete(membership);
  }

  hold(holder: Holder): void {
    this.#holders ??= new Set();
    this.#holders.add(holder);
    this.#outbox.isHeld = true;
    this.session.turnSoon();
  }

  release(holder: Holder): void {
    if (!this.#holders?.delete(holder) || this.#holders.size > 0) return;
    this.#outbox.isHeld = false;
    this.session.turnSoon();
  }

  releaseAll(): void {
    for (const holder of this.#holders ?? []) holder.release(this);
  }
}
