/** What stands between the messages of a session and its handler where there is a journal. */
import { YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import { Queue } from '../queue.ts';
import type { SessionView, Subscriber } from '../telemetry/telemetry.ts';

/** A session, as the journal sees it. */
export interface Journaled extends SessionView {
  /** How messages stand on the wire of this connection. */
  readonly wire: Framing;
}

/** Where messages are recorded before they are handled. */
export interface SessionJournal {
  /**
   * Records the messages of a batch, whose bytes are borrowed for the call.
   *
   * Resolves when they are as durable as the journal promises, in the order of the calls. Rejects with a `YodelError`
   * when they are not recorded: `YODEL_NOT_RECORDED` when it may go on with the next ones, any other code when
   * nothing will be recorded any more.
   */
  append(session: Journaled, batch: Batch): Promise<void>;
  /**
   * Resolves, should it happen, with the reason why nothing can be recorded any more. Then the server breaks all sessions off,
   * and closes: what it would answer from then on could be lost.
   */
  readonly failed: Promise<YodelError>;
  /** The longest message that it can take, in bytes. Default: any. The server takes no longer ones either. */
  readonly maxMessageLength?: number | undefined;
  /** What it wants to be told of the server that it belongs to, such as the ends of sessions. */
  readonly subscriber?: Subscriber | undefined;
}

/** Messages on their way through the journal. */
interface Pending {
  readonly batch: Batch;
  readonly size: number;
  isDone: boolean;
  error: YodelError | undefined;
}

/**
 * The messages of one session that wait for the journal: they come out in the order in which they went in, also when a
 * later one was recorded sooner.
 */
export class Journaling {
  readonly #journal: SessionJournal;
  readonly #session: Journaled;
  /** The first one may be handled, or refused, now. */
  readonly #ready: () => void;
  #pending = new Queue<Pending>();
  #bytes = 0;

  constructor(journal: SessionJournal, session: Journaled, ready: () => void) {
    this.#journal = journal;
    this.#session = session;
    this.#ready = ready;
  }

  /** Bytes of the messages that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /** Has messages recorded. They must not be in borrowed memory. */
  add(batch: Batch): void {
    const one: Pending = { batch, size: batch.byteLength, isDone: false, error: undefined };
    this.#pending.push(one);
    this.#bytes += one.size;
    const settle = (error: YodelError | undefined) => {
      one.isDone = true;
      one.error = error;
      if (this.#pending.first === one) this.#ready();
    };
    this.#journal.append(this.#session, batch).then(
      () => settle(undefined),
      (thrown: unknown) => settle(failure(thrown)),
    );
  }

  /** Takes the first messages, which are recorded, or are not: then `error` says why. */
  take(): { readonly batch: Batch; readonly error: YodelError | undefined } | undefined {
    if (!this.#pending.first?.isDone) return undefined;
    const one = this.#pending.shift();
    this.#bytes -= one?.size ?? 0;
    return one;
  }

  /** Forgets all that waits. It may be recorded all the same. */
  drop(): void {
    this.#pending = new Queue();
    this.#bytes = 0;
  }
}

function failure(thrown: unknown): YodelError {
  if (thrown instanceof YodelError) return thrown;
  return new YodelError('YODEL_JOURNAL_FAILED', 'the journal failed', { cause: thrown });
}
