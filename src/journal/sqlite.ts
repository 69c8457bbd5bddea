/** A journal in one SQLite file, written by a thread: see `group-commit.ts` and `writer.ts`. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { formatPeer } from '../address.ts';
import { YodelError } from '../errors.ts';
import { type Decoder, decodeChunk } from '../framing/framing.ts';
import { type Batch, isMessage, Message } from '../framing/message.ts';
import { type Observation, observe, type Protocol, protocolOf } from '../framing/protocol.ts';
import { raw } from '../framing/raw.ts';
import { checkShapes, shapesOf } from '../option-shapes.ts';
import { type OptionalValues, resolveOptions, type ValuesOf } from '../option-values.ts';
import { journalOptions } from '../options.ts';
import type { RoomStore } from '../rooms/stored/store.ts';
import type { Journaled } from '../session/journaling.ts';
import type { PublishedMessage, SessionView, Subscriber } from '../telemetry/telemetry.ts';
import { asRead, namesOf, recordedAddress } from '../transcript/wire.ts';
import { GroupCommit } from './group-commit.ts';
import { JournalStores } from './histories/store.ts';
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
import { roomPrefix } from './journal.ts';
import type { WriterAnswer, WriterOrder, WriterSettings } from './writer.ts';

/** Options of {@link openJournal}; the reference lists the limits. */
export interface JournalOptions extends OptionalValues<ValuesOf<typeof journalOptions>> {
  /** Whether replies are recorded as well. Default: only received messages. */
  readonly replies?: boolean | undefined;
  /** The name of this writer in the error that another writer gets, such as the server's address. Default `yodel`. */
  readonly name?: string | undefined;
  /**
   * Called with an error when messages start to be refused (the disk is full, the file is locked), and without one when they
   * are accepted again.
   */
  readonly onRefusing?: ((error: YodelError | undefined) => void) | undefined;
}

/**
 * Opens a journal for writing, and creates the file if there is none.
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
  checkShapes(options, known, 'openJournal()');
  const journal = new SqliteJournal(file, options, await writerProgram());
  await journal.opened;
  return journal;
}

const known = {
  ...shapesOf(Object.keys(journalOptions)),
  ...({ replies: 'boolean', name: 'text', onRefusing: 'function' } as const),
};

/**
 * Opens a journal for reading, even while a server writes to it.
 *
 * @throws YodelError `YODEL_JOURNAL_UNREADABLE`
 */
export async function openJournalReader(file: string): Promise<JournalReader> {
  // Loaded late, because it loads SQLite.
  return (await import('./reader.ts')).readJournal(file);
}

/**
 * The program of the thread: a file in src/journal/, or in dist/journal/ if this file is part of a chunk elsewhere.
 * If there is no such file, because a bundler merged yodel into another program or an executable, it is loaded from text.
 */
async function writerProgram(): Promise<URL> {
  // Undefined in some bundles that use CommonJS.
  const here = import.meta.url as string | undefined;
  const file = here && new URL(`../journal/writer.${here.endsWith('.ts') ? 'ts' : 'js'}`, here);
  if (file && existsSync(file)) return file;
  const { writerText } = await import('./writer-text.ts');
  return new URL(`data:text/javascript,${encodeURIComponent(writerText)}`);
}

/**
 * Replies are sent without waiting to be recorded. Above this many unwritten bytes they are not recorded but counted as
 * missed: the disk is seconds behind, and the journal must not use up the server's memory.
 */
const maxUnwritten = 67_108_864;
/** With durability `off`, messages wait for the disk only above this many unwritten bytes. */
const maxAhead = 16_777_216;
/** Replies may be any messages that a server may send. */
const observed = { maxMessageLength: 1_073_741_824, onTooLong: 'discard', encoding: 'binary' } as const;

/** A session with messages in the journal. */
interface SessionState {
  readonly number: number;
  /** Its framings, as their recorded names give them. */
  readonly protocol: Protocol;
  /** Decodes its replies, and its requests too where they determine how replies are framed. Undefined if replies are not recorded. */
  readonly observation: Observation | undefined;
  readonly observesRequests: boolean;
}

/** The messages of rooms are in no frame: their members may have different framings. */
const unframed = raw();
/** How many rooms it remembers. */
const mostRooms = 10_000;

class SqliteJournal implements Journal {
  readonly durability: Durability;
  /** The longest row of SQLite (SQLITE_MAX_LENGTH), minus what a row needs besides the message. */
  readonly maxMessageLength = 999_999_000;
  readonly subscriber: Subscriber;
  failure: YodelError | undefined;
  readonly #file: string;
  readonly #recordsReplies: boolean;
  readonly #commits: GroupCommit;
  readonly #stores: JournalStores;
  readonly #port: MessagePort;
  readonly #opened = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<YodelError>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #started = performance.now();
  readonly #sessions = new Map<SessionView, SessionState>();
  /** The sessions that stand for rooms. */
  readonly #rooms = new Map<string, number>();
  #nextSession = 1;
  #isClosing = false;
  /** Ends iterations that follow the journal. */
  readonly #closing = new AbortController();

  constructor(file: string, options: JournalOptions, program: URL) {
    const { replies = false, name = 'yodel', onRefusing, ...limits } = options;
    const { durability, maxSize, maxAge, maxMessage } = resolveOptions(journalOptions, limits);
    this.#file = resolve(file);
    this.durability = durability;
    this.#recordsReplies = replies;
    this.subscriber = {
      closed: (session, error) => this.#endSession(session, error),
      ...(replies && {
        sent: (session, bytes, isShared) => {
          // What a room is sent is recorded once, and not for each member.
          if (!isShared) this.#addReplies(session as Journaled, bytes);
        },
        published: (room, messages, members) => this.#addShared(room, messages, members),
      }),
    };
    const { port1, port2: port } = new MessageChannel();
    this.#port = port1;
    this.#commits = new GroupCommit((order, transfer) => this.#send(order, transfer), maxMessage, onRefusing);
    this.#stores = this.#createStores(maxAge);
    const settings: WriterSettings = { file: this.#file, name, durability, maxSize, maxAge, port };
    const thread = new Worker(program, { workerData: settings, transferList: [port] });
    thread.on('message', (answer: WriterAnswer) => this.#receive(answer));
    thread.on('error', (error) => this.#threadEnded(error));
    thread.on('exit', () => this.#threadEnded(undefined));
  }

  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  get failed(): Promise<YodelError> {
    return this.#failed.promise;
  }

  get isRefusing(): boolean {
    return this.#commits.isRefusing;
  }

  get pendingBytes(): number {
    return this.#commits.pendingBytes;
  }

  append(session: Journaled, batch: Batch): Promise<void> {
    const ended = this.#ended;
    if (ended) return Promise.reject(ended);
    const state = this.#stateOf(session);
    this.#add(state, 'in', batch);
    if (state.observesRequests) for (const slice of batch.slices) readAll(state.observation?.requests, slice);
    const done = this.#commits.commit();
    const waits = this.durability !== 'off' || this.isRefusing || this.pendingBytes > maxAhead;
    return waits ? done : Promise.resolve();
  }

  openStore(): RoomStore {
    return this.#stores.open();
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
      this.#closing.abort();
      this.#stores.close();
      for (const session of this.#sessions.keys()) this.#endSession(session, undefined);
      this.#endRooms();
      this.#commits.flush();
      this.#send({ close: true });
    }
    return this.#closed.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Why nothing more is recorded. */
  get #ended(): YodelError | undefined {
    if (!this.#isClosing) return this.failure;
    return this.failure ?? new YodelError('YODEL_JOURNAL_FAILED', `the journal ${this.#file} is closed`);
  }

  #createStores(maxAge: number): JournalStores {
    const ended = () => this.#ended;
    return new JournalStores({
      file: this.#file,
      maxAge,
      get ended() {
        return ended();
      },
      store: (batch) => this.#commits.store(batch),
      limit: (limits) => this.#send({ limit: limits }),
    });
  }

  #add({ number, protocol }: SessionState, direction: Direction, batch: Batch): void {
    const framing = direction === 'in' ? protocol.framing : protocol.replyFraming;
    this.#commits.group.add(number, direction, framing, batch, Date.now(), performance.now() - this.#started);
  }

  #stateOf(session: Journaled): SessionState {
    const known = this.#sessions.get(session);
    if (known) return known;
    const protocol = protocolOf(session);
    const names = namesOf(protocol);
    const state: SessionState = {
      number: this.#nextSession++,
      protocol: asRead(protocol),
      observation: this.#recordsReplies ? observe(protocol, observed) : undefined,
      observesRequests: this.#recordsReplies && protocol.createState !== undefined,
    };
    this.#sessions.set(session, state);
    this.#commits.group.begun.push({
      session: state.number,
      peer: formatPeer(session.peer),
      local: recordedAddress(session),
      framing: protocol.framing.name,
      replyFraming: protocol.replyFraming.name,
      protocol: names.protocol ?? null,
      began: Date.now() - Math.round(session.durationMs),
    });
    return state;
  }

  #addReplies(session: Journaled, bytes: Uint8Array): void {
    if (this.failure) return;
    const state = this.#stateOf(session);
    if (!state.observation) return;
    for (const batch of decodeChunk(state.observation.replies, bytes)) {
      if (batch.count > 0) this.#addReplyBatch(state, batch);
    }
  }

  #addReplyBatch(state: SessionState, batch: Batch): void {
    if (this.pendingBytes > maxUnwritten) this.#commits.group.missed += batch.count;
    else {
      this.#add(state, 'out', batch);
      this.#commits.commitReplies(batch.count);
    }
  }

  #addShared(room: string, messages: readonly PublishedMessage[], members: number): void {
    if (this.failure || members === 0) return;
    if (this.pendingBytes > maxUnwritten) {
      this.#commits.group.missed += messages.length;
      return;
    }
    const elapsed = performance.now() - this.#started;
    const own = messages.map(({ message }) => (isMessage(message) ? message : Message.of(message)));
    this.#commits.group.addShared(this.#roomOf(room), unframed, own, members, Date.now(), elapsed);
    this.#commits.commitReplies(messages.length);
  }

  /** The number of the session that stands for a room. */
  #roomOf(room: string): number {
    const known = this.#rooms.get(room);
    if (known !== undefined) return known;
    // A room that is used again after so many others is recorded as another one.
    if (this.#rooms.size >= mostRooms) this.#endRooms();
    const session = this.#nextSession++;
    this.#rooms.set(room, session);
    const framing = unframed.name;
    const peer = `${roomPrefix}${room}`;
    const names = { framing, replyFraming: framing, protocol: null };
    this.#commits.group.begun.push({ session, peer, local: '', ...names, began: Date.now() });
    return session;
  }

  #endRooms(): void {
    for (const session of this.#rooms.values()) {
      this.#commits.group.ended.push({ session, ended: Date.now(), endedBy: 'shutdown', error: null });
    }
    this.#rooms.clear();
  }

  #endSession(session: SessionView, error: YodelError | undefined): void {
    const state = this.#sessions.get(session);
    if (!state || this.failure) return;
    const last = state.observation?.replies.end();
    if (last && last.count > 0) this.#add(state, 'out', last);
    this.#sessions.delete(session);
    this.#commits.group.ended.push({
      session: state.number,
      ended: Date.now(),
      endedBy: session.endedBy,
      error: error?.code ?? null,
    });
    void this.#commits.commit();
  }

  #send(order: WriterOrder, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(order, transfer);
  }

  #receive(answer: WriterAnswer): void {
    if ('opened' in answer) {
      this.#nextSession = answer.opened.nextSession;
      this.#opened.resolve();
    } else if ('refused' in answer) {
      this.#opened.reject(new YodelError(answer.refused.code, answer.refused.message));
    } else if ('committed' in answer) this.#commits.settle(answer.committed, undefined, answer.places);
    else if ('historyBytes' in answer) this.#stores.kept(answer.historyBytes);
    else if ('closed' in answer) this.#closed.resolve();
    else {
      const { kind, code, message } = answer.fault;
      if (kind === 'passing') this.#commits.settle(answer.groups, new YodelError(code, message));
      else this.#fail(new YodelError(code, message));
    }
  }

  #fail(error: YodelError): void {
    if (this.failure) return;
    this.failure = error;
    this.#commits.fail(error);
    this.#failed.resolve(error);
  }

  /** The thread has ended, either normally or because of an unexpected error. */
  #threadEnded(cause: Error | undefined): void {
    const text = `the thread that writes the journal ${this.#file} ended`;
    const error = new YodelError('YODEL_JOURNAL_FAILED', text, { cause });
    this.#opened.reject(error);
    if (!this.#isClosing) this.#fail(error);
    this.#closed.resolve();
  }
}

/** Decodes bytes only to know what they mean for the other direction. */
function readAll(decoder: Decoder | undefined, bytes: Uint8Array): void {
  if (decoder) for (const batch of decodeChunk(decoder, bytes)) void batch;
}
