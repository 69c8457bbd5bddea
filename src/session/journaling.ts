/** The journal stage of a session: between its messages and its handler, where there is a journal. */
import { YodelError } from '../errors.ts';
import type { Batch } from '../framing/message.ts';
import { Queue } from '../queue.ts';
import type { SessionView, Subscriber } from '../telemetry/telemetry.ts';

/** A session, as the journal sees it. */
export type Journaled = SessionView;

/** Records messages before they are handled. */
export interface SessionJournal {
  /**
   * Records the messages of a batch, whose bytes are borrowed for the call.
   *
   * Resolves when they are as durable as the journal promises, in the order of the calls. Rejects with a `YodelError`
   * when they are not recorded: `YODEL_NOT_RECORDED` if later messages may be recorded again, any other code if nothing
   * more will be recorded.
   */
  append(session: Journaled, batch: Batch): Promise<void>;
  /**
   * Resolves with the reason once nothing more can be recorded. The server then disconnects all sessions and closes, because
   * messages that it answered from then on could be lost.
   */
  readonly failed: Promise<YodelError>;
  /** The longest message it can record, in bytes. Default: any. The server accepts no longer ones. */
  readonly maxMessageLength?: number | undefined;
  /** Receives the events of the server it belongs to, such as the ends of sessions. */
  readonly subscriber?: Subscriber | undefined;
}

/** What a batch costs here besides its memory: the promise of its recording, and what waits for it. */
const recordingCost = 512;
/** What each message costs there: four numbers, in an array that doubles its size. */
const placeCost = 32;

/**
 * While the journal has this many messages or bytes to record, others wait in their sessions, where they count and can be
 * dropped. What was passed to the journal is recorded in any case, also for sessions that have ended since, and later messages
 * are answered after it.
 */
const mostMessages = 32_768;
const mostBytes = 8_388_608;
/** So few messages need not wait for sessions with many, unless twice as much is to be recorded. */
const fewMessages = 64;
const fewBytes = 16_384;

/** What one journal has to record, for all sessions. */
class Backlog {
  #messages = 0;
  #bytes = 0;
  readonly #waiting = new Set<WaitingSession>();

  /** Whether the session may pass so much to the journal now. If not, its turn comes when the journal has recorded enough. */
  admits(session: WaitingSession, messages: number, bytes: number, hadTurn: boolean): boolean {
    const isSmall = messages <= fewMessages && bytes <= fewBytes;
    const most = isSmall ? 2 : 1;
    const hasSpace = this.#messages < most * mostMessages && this.#bytes < most * mostBytes;
    if (hasSpace && !(hadTurn && this.#waiting.size > 0)) return true;
    this.#waiting.add(session);
    return false;
  }

  awaits(session: WaitingSession): boolean {
    return this.#waiting.has(session);
  }

  begin(messages: number, bytes: number): void {
    this.#messages += messages;
    this.#bytes += bytes;
  }

  /** So much was recorded, or could not be. */
  end(messages: number, bytes: number): void {
    this.#messages -= messages;
    this.#bytes -= bytes;
    if (this.#messages > mostMessages / 2 || this.#bytes > mostBytes / 2) return;
    for (const session of this.#waiting) {
      if (this.#messages >= mostMessages || this.#bytes >= mostBytes) return;
      this.#waiting.delete(session);
      session.turn();
    }
  }

  leave(session: WaitingSession): void {
    this.#waiting.delete(session);
  }
}

const backlogs = new WeakMap<SessionJournal, Backlog>();

function backlogOf(journal: SessionJournal): Backlog {
  const backlog = backlogs.get(journal) ?? new Backlog();
  backlogs.set(journal, backlog);
  return backlog;
}

/** Messages that the journal is recording. */
interface Recording {
  readonly batch: Batch;
  readonly size: number;
  readonly memory: number;
  isDone: boolean;
  error: YodelError | undefined;
}

/** A session that waits for its journal. */
export interface WaitingSession extends Journaled {
  /** Handles what can be handled now. Called when the first of the waiting messages were recorded, or could not be. */
  turn(): void;
}

/** The messages of one session that wait for the journal. They leave in order, even when later ones are recorded first. */
export class Journaling {
  readonly #journal: SessionJournal;
  readonly #session: WaitingSession;
  readonly #backlog: Backlog;
  #queue = new Queue<Recording>();
  #bytes = 0;
  #memory = 0;

  constructor(journal: SessionJournal, session: WaitingSession) {
    this.#journal = journal;
    this.#session = session;
    this.#backlog = backlogOf(journal);
  }

  /** Bytes of the waiting messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of memory that they keep here, and in the journal's own copy. */
  get memory(): number {
    return this.#memory;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /**
   * Whether these messages may be recorded now. If not, the session's turn comes later.
   *
   * @param hadTurn whether it has just recorded others, so that it is the turn of sessions that wait
   */
  admits({ count, byteLength }: Batch, hadTurn: boolean): boolean {
    return this.#backlog.admits(this.#session, count, byteLength, hadTurn);
  }

  /** Whether messages wait for their turn to be recorded. */
  get awaitsTurn(): boolean {
    return this.#backlog.awaits(this.#session);
  }

  /** Records messages. They must not be in borrowed memory. */
  add(batch: Batch): void {
    const size = batch.byteLength;
    const memory = batch.memory + recordingCost + size + batch.count * placeCost;
    const recording: Recording = { batch, size, memory, isDone: false, error: undefined };
    this.#queue.push(recording);
    this.#bytes += size;
    this.#memory += memory;
    this.#backlog.begin(batch.count, size);
    this.#journal.append(this.#session, batch).then(
      () => this.#done(recording, undefined),
      (thrown: unknown) => this.#done(recording, failure(thrown)),
    );
  }

  /** Removes the first messages once they are recorded, or could not be; `error` is then the reason. */
  take(): { readonly batch: Batch; readonly error: YodelError | undefined } | undefined {
    if (!this.#queue.first?.isDone) return undefined;
    const first = this.#queue.shift();
    this.#bytes -= first?.size ?? 0;
    this.#memory -= first?.memory ?? 0;
    return first;
  }

  /** Discards all waiting messages. They may still be recorded. */
  drop(): void {
    this.#queue = new Queue();
    this.#bytes = 0;
    this.#memory = 0;
    this.#backlog.leave(this.#session);
  }

  #done(recording: Recording, error: YodelError | undefined): void {
    recording.isDone = true;
    recording.error = error;
    if (this.#queue.first === recording) this.#session.turn();
    this.#backlog.end(recording.batch.count, recording.size);
  }
}

function failure(thrown: unknown): YodelError {
  if (thrown instanceof YodelError) return thrown;
  return new YodelError('YODEL_JOURNAL_FAILED', 'the journal failed', { cause: thrown });
}
