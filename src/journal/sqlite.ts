/**
 * A journal in one file, kept by SQLite.
 *
 * Messages are gathered in a group. As soon as the thread that writes has nothing to do it gets the group, and the next
 * one begins: so the number of commits follows the disk, and the number of messages in a commit follows the load ("group
 * commit": D. DeWitt et al., Implementation Techniques for Main Memory Database Systems, 1984).
 *
 *     append -> group -> [thread: commit] -> all who have something in it go on
 *
 * Clients that wait for their replies would split into two halves that take turns, each with a commit of its own. So after a
 * commit a group waits for as many messages as were under way before, for a few turns of the event loop at the most (as
 * PostgreSQL does with `commit_delay` and MySQL with `binlog_group_commit_sync_no_delay_count`, but without a time to
 * be set): 16 clients get half as much again.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { formatPeer } from '../address.ts';
import { YodelError } from '../errors.ts';
import type { Decoder } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import { journalOptions, type OptionalValues, refuseUnknown, resolveOptions, type ValuesOf } from '../options.ts';
import { Queue } from '../queue.ts';
import type { Journaled } from '../session/journaling.ts';
import type { SessionView, Subscriber } from '../telemetry/telemetry.ts';
import { Group } from './group.ts';
import type {
  Direction,
  Durability,
  Entry,
  Journal,
  JournalQuery,
  JournalReader,
  JournalStats,
  RecordedSession,
} from './journal.ts';
import type { WriterAnswer, WriterOrder, WriterSettings } from './writer.ts';

/** What {@link openJournal} takes; the reference has the limits. */
export interface JournalOptions extends OptionalValues<ValuesOf<typeof journalOptions>> {
  /** Whether what is sent is recorded as well. Default: only what is received. */
  readonly replies?: boolean | undefined;
  /** What others are told who want to write to the same file, such as where this server listens. Default `yodel`. */
  readonly name?: string | undefined;
  /** Is told why messages are refused from now on (a full disk, a lock), and without an error that they are taken again. */
  readonly onRefusing?: ((error: YodelError | undefined) => void) | undefined;
}

/**
 * Opens a journal to write to it, and makes the file when there is none.
 *
 * ```ts
 * const journal = await openJournal('messages.journal');
 * const server = await serve({ journal });
 * …
 * await server.close();
 * await journal.close();
 * ```
 *
 * @throws YodelError `YODEL_JOURNAL_UNREADABLE`, `YODEL_JOURNAL_IN_USE`, `YODEL_INVALID_OPTION`
 */
export async function openJournal(file: string, options: JournalOptions = {}): Promise<Journal> {
  refuseUnknown(options, ['replies', 'name', 'onRefusing', ...Object.keys(journalOptions)], 'openJournal()');
  const journal = new SqliteJournal(file, options, await writerProgram());
  await journal.opened;
  return journal;
}

/**
 * Opens a journal only to read it, also while a server writes to it.
 *
 * @throws YodelError `YODEL_JOURNAL_UNREADABLE`
 */
export async function openJournalReader(file: string): Promise<JournalReader> {
  // Loaded late: it brings SQLite with it.
  return (await import('./reader.ts')).readJournal(file);
}

/**
 * The program of the thread: a file in src/journal/ or dist/journal/, where this file is part of a chunk in another folder.
 * Without such a file (a bundler merged yodel into another program, or into an executable) the thread runs from text.
 */
async function writerProgram(): Promise<URL> {
  // Bundlers that produce CommonJS may leave it undefined.
  const here = import.meta.url as string | undefined;
  const file = here && new URL(`../journal/writer.${here.endsWith('.ts') ? 'ts' : 'js'}`, here);
  if (file && existsSync(file)) return file;
  const { writerText } = await import('./writer-text.ts');
  return new URL(`data:text/javascript,${encodeURIComponent(writerText)}`);
}

/**
 * What is sent does not wait to be recorded. Above this many unwritten bytes it is counted as missed instead: the disk has
 * fallen behind by seconds, and a journal may not eat the memory of its server.
 */
const mostUnwritten = 67_108_864;
/** With durability `off` messages wait for the disk only when so many bytes are unwritten. */
const mostAhead = 16_777_216;
/** How often it is looked whether a full disk has room again. */
const probeEveryMs = 500;
/** No message of a server is longer; a decoder of what was sent must not refuse it. */
const longestReply = 1_073_741_824;

/** What is sent goes to the disk with the next message that comes, or after so long. */
const repliesWaitMs = 10;
/** With so much in a group nothing is gained by waiting for more. */
const enoughMessages = 256;
const enoughBytes = 131_072;
/**
 * A group is complete once so many turns of the event loop have brought nothing to it, though more was expected. With one
 * turn a client that answers at once still comes too late; two to ten make no difference.
 */
const mostQuietTurns = 4;

/** A group, and what becomes of it. */
class Gathered {
  readonly group: Group;
  readonly #settled = Promise.withResolvers<void>();
  /** Messages that were sent. */
  replies = 0;
  /** Whether it has to be sent: these ask for no commit of their own, until they have waited for long enough. */
  isAwaited = false;

  constructor(longest: number) {
    this.group = new Group(longest);
    // Nobody may be waiting.
    this.#settled.promise.catch(() => undefined);
  }

  /** Resolves when it is as durable as it should be. */
  get done(): Promise<void> {
    return this.#settled.promise;
  }

  settle(error?: YodelError): void {
    if (error) this.#settled.reject(error);
    else this.#settled.resolve();
  }
}

/** What is known of a session that has messages in the journal. */
interface SessionState {
  readonly number: number;
  /** For what is sent to it. */
  decoder: Decoder | undefined;
}

class SqliteJournal implements Journal {
  readonly durability: Durability;
  /** SQLite takes no longer rows (SQLITE_MAX_LENGTH); what is beside the message needs little. */
  readonly maxMessageLength = 999_999_000;
  readonly subscriber: Subscriber;
  isRefusing = false;
  readonly #file: string;
  readonly #onRefusing: JournalOptions['onRefusing'];
  readonly #longest: number;
  readonly #thread: Worker;
  readonly #port: MessagePort;
  readonly #opened = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<YodelError>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #started = performance.now();
  readonly #sessions = new Map<SessionView, SessionState>();
  #nextSession = 1;
  /** What waits for the thread. */
  #gathered: Gathered;
  /** What the thread has. */
  readonly #sent = new Queue<Gathered>();
  #sentBytes = 0;
  #sendDue = false;
  #repliesDue: NodeJS.Timeout | undefined;
  /** How many messages were under way when the thread answered last: whoever gets a reply may send the next message at once. */
  #expected = 0;
  failure: YodelError | undefined;
  #isClosing = false;
  #probing: NodeJS.Timeout | undefined;
  /** Ends what follows the journal. */
  readonly #closing = new AbortController();

  constructor(file: string, options: JournalOptions, program: URL) {
    const { replies = false, name = 'yodel', onRefusing, ...limits } = options;
    const { durability, maxSize, maxAge, maxMessage } = resolveOptions(journalOptions, limits);
    this.#file = resolve(file);
    this.#onRefusing = onRefusing;
    this.durability = durability;
    this.#longest = maxMessage;
    this.#gathered = new Gathered(maxMessage);
    this.subscriber = {
      closed: (session, error) => this.#end(session, error),
      ...(replies && { sent: (session, bytes) => this.#addReplies(session as Journaled, bytes) }),
    };
    const { port1, port2: port } = new MessageChannel();
    this.#port = port1;
    const settings: WriterSettings = { file: this.#file, name, durability, maxSize, maxAge, port };
    this.#thread = new Worker(program, { workerData: settings, transferList: [port] });
    this.#thread.on('message', (answer: WriterAnswer) => this.#hear(answer));
    this.#thread.on('error', (error) => this.#lost(error));
    this.#thread.on('exit', () => this.#lost(undefined));
  }

  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get failed(): Promise<YodelError> {
    return this.#failed.promise;
  }

  get pendingBytes(): number {
    return this.#gathered.group.size + this.#sentBytes;
  }

  append(session: Journaled, batch: Batch): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    if (this.#isClosing)
      return Promise.reject(new YodelError('YODEL_JOURNAL_FAILED', `the journal ${this.#file} is closed`));
    const gathered = this.#gathered;
    gathered.isAwaited = true;
    this.#add(session, 'in', batch);
    this.#sendSoon();
    const waits = this.durability !== 'off' || this.isRefusing || this.pendingBytes > mostAhead;
    return waits ? gathered.done : Promise.resolve();
  }

  async *read(query: JournalQuery = {}): AsyncGenerator<Entry> {
    const reader = await openJournalReader(this.#file);
    try {
      const { signal } = this.#closing;
      yield* reader.read({ ...query, signal: query.signal ? AbortSignal.any([query.signal, signal]) : signal });
    } finally {
      await reader.close();
    }
  }

  async *sessions(query: JournalQuery = {}): AsyncGenerator<RecordedSession> {
    const reader = await openJournalReader(this.#file);
    try {
      yield* reader.sessions(query);
    } finally {
      await reader.close();
    }
  }

  async stats(): Promise<JournalStats> {
    const reader = await openJournalReader(this.#file);
    try {
      return await reader.stats();
    } finally {
      await reader.close();
    }
  }

  close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      clearInterval(this.#probing);
      clearTimeout(this.#repliesDue);
      this.#closing.abort();
      for (const session of this.#sessions.keys()) this.#end(session, undefined);
      this.#send();
      this.#tell({ close: true });
    }
    return this.#closed.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #add(session: Journaled, direction: Direction, batch: Batch): void {
    const { number } = this.#stateOf(session);
    const { group } = this.#gathered;
    group.add(number, direction, session.wire, batch, Date.now(), performance.now() - this.#started);
  }

  #stateOf(session: Journaled): SessionState {
    const known = this.#sessions.get(session);
    if (known) return known;
    const state: SessionState = { number: this.#nextSession++, decoder: undefined };
    this.#sessions.set(session, state);
    this.#gathered.group.begun.push({
      session: state.number,
      peer: formatPeer(session.peer),
      local: String(session.local),
      framing: session.wire.name,
      began: Date.now() - Math.round(session.durationMs),
    });
    return state;
  }

  #addReplies(session: Journaled, bytes: Uint8Array): void {
    if (this.failure) return;
    const state = this.#stateOf(session);
    const limits = { maxMessageLength: longestReply, onTooLong: 'discard', encoding: 'binary' } as const;
    state.decoder ??= session.wire.createDecoder(limits);
    const batch = state.decoder.decode(bytes);
    if (batch.count === 0) return;
    if (this.pendingBytes > mostUnwritten) this.#gathered.group.missed += batch.count;
    else {
      this.#gathered.replies += batch.count;
      this.#add(session, 'out', batch);
      if (this.#gathered.group.size >= enoughBytes) this.#sendSoon();
      else this.#sendLater();
    }
  }

  #end(session: SessionView, error: YodelError | undefined): void {
    const state = this.#sessions.get(session);
    if (!state || this.failure) return;
    const last = state.decoder?.end();
    if (last && last.count > 0) this.#add(session as Journaled, 'out', last);
    this.#sessions.delete(session);
    this.#gathered.group.ended.push({
      session: state.number,
      ended: Date.now(),
      endedBy: session.endedBy,
      error: error?.code ?? null,
    });
    this.#gathered.isAwaited = true;
    this.#sendSoon();
  }

  /** Sends a group that has to be sent: now when nothing more is expected in it, or else once it is complete. */
  #sendSoon(): void {
    if (this.#sendDue) return;
    const isIdle = this.#sent.length === 0;
    if (isIdle && this.#gathered.group.count >= this.#expected) return this.#send();
    this.#sendDue = true;
    this.#watch(this.#gathered.group, 0);
  }

  /** Sends what holds only replies once they have waited for long enough, should nothing take them along before. */
  #sendLater(): void {
    if (this.#repliesDue) return;
    this.#repliesDue = setTimeout(() => {
      this.#repliesDue = undefined;
      if (this.#gathered.group.isEmpty) return;
      this.#gathered.isAwaited = true;
      this.#sendSoon();
    }, repliesWaitMs).unref();
  }

  /** Looks at the group after the next turn of the event loop, which brings what the sockets have. */
  #watch(group: Group, quietTurns: number): void {
    const { count } = group;
    setImmediate(() => {
      const quiet = group.count > count ? 0 : quietTurns + 1;
      const isEnough = group.count >= enoughMessages || group.size >= enoughBytes;
      const isIdle = this.#sent.length === 0;
      if (isIdle && !isEnough && group.count < this.#expected && quiet < mostQuietTurns)
        return this.#watch(group, quiet);
      this.#sendDue = false;
      // A busy thread takes what is enough as its next; the rest waits for its answer, so that what that brings joins it.
      if ((isIdle || isEnough) && group === this.#gathered.group) this.#send();
    });
  }

  #send(): void {
    const { group } = this.#gathered;
    if (group.isEmpty || this.failure) return;
    this.#sent.push(this.#gathered);
    this.#sentBytes += group.size;
    this.#gathered = new Gathered(this.#longest);
    const data = group.data();
    this.#tell({ commit: data }, [data.bytes.buffer, data.runs.buffer, data.places.buffer]);
  }

  #tell(order: WriterOrder, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(order, transfer);
  }

  #hear(answer: WriterAnswer): void {
    if ('opened' in answer) {
      this.#nextSession = answer.opened.nextSession;
      this.#opened.resolve();
    } else if ('refused' in answer) {
      this.#opened.reject(new YodelError(answer.refused.code, answer.refused.message));
    } else if ('committed' in answer) this.#settle(answer.committed, undefined);
    else if ('closed' in answer) this.#closed.resolve();
    else {
      const { kind, code, message } = answer.fault;
      if (kind === 'passing') this.#settle(answer.groups, new YodelError(code, message));
      else this.#fail(new YodelError(code, message));
    }
  }

  /** The thread is done with so many groups. */
  #settle(groups: number, error: YodelError | undefined): void {
    const wasRefusing = this.isRefusing;
    this.isRefusing = error !== undefined;
    let settledMessages = 0;
    for (let settled = 0; settled < groups; settled++) {
      const one = this.#sent.shift();
      if (!one) return;
      this.#sentBytes -= one.group.size;
      settledMessages += one.group.count;
      if (error) this.#carryOver(one);
      one.settle(error);
    }
    this.#expected = Math.min(settledMessages + this.#gathered.group.count, enoughMessages);
    // What was carried over does not ask again by itself: it would do so without end as long as the disk is full.
    const hasRoomAgain = wasRefusing && !error && !this.#gathered.group.isEmpty;
    if (this.#gathered.isAwaited || hasRoomAgain) this.#sendSoon();
    if (this.isRefusing === wasRefusing) return;
    // Also when nobody asks: /readyz tells it.
    if (error) this.#probing = setInterval(() => this.#tell({ probe: true }), probeEveryMs);
    else clearInterval(this.#probing);
    this.#probing?.unref();
    this.#onRefusing?.(error);
  }

  /** What was not written of a group and concerns more than its messages is written with the next one. */
  #carryOver({ group, replies }: Gathered): void {
    const next = this.#gathered.group;
    next.begun.unshift(...group.begun);
    next.ended.unshift(...group.ended);
    next.missed += group.missed + replies;
  }

  #fail(error: YodelError): void {
    if (this.failure) return;
    this.failure = error;
    for (const one of [...this.#sent.takeAll(), this.#gathered]) one.settle(error);
    this.#failed.resolve(error);
  }

  /** The thread has ended, or something in it is wrong that it did not expect. */
  #lost(cause: Error | undefined): void {
    const error = new YodelError('YODEL_JOURNAL_FAILED', `the thread that writes the journal ${this.#file} ended`, {
      cause,
    });
    this.#opened.reject(error);
    if (!this.#isClosing) this.#fail(error);
    this.#closed.resolve();
  }
}
