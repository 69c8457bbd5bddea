/**
 * The thread that writes a journal's file. It receives groups of messages, commits them, and reports the outcome. So a slow
 * disk delays replies, but not the event loop of the server.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { fileErrorReason, YodelError } from '../errors.ts';
import type { StoreLimits } from '../rooms/stored/store.ts';
import { damaged, primaryCode, readingError, resultCode } from './database.ts';
import type { GroupData } from './group.ts';
import type { HistoryPlace } from './histories/table.ts';
import { JournalFile, type JournalFileSettings } from './journal-file.ts';

/** The thread's settings. */
export interface WriterSettings extends JournalFileSettings {
  /** Receives orders. */
  readonly port: MessagePort;
}

/** An order to the thread. */
export type WriterOrder =
  | { readonly commit: GroupData }
  | { readonly probe: true }
  | { readonly limit: StoreLimits }
  | { readonly close: true };

/** The reason why a group was not written: `passing` if a later attempt may succeed, else `fatal`. */
export interface WriterFault {
  readonly kind: 'passing' | 'fatal';
  readonly code: YodelError['code'];
  readonly message: string;
}

/**
 * An answer of the thread. `committed` and `groups` are numbers of groups; each group is answered once, in order. `places` are those of
 * what rooms store, `historyBytes` what that takes.
 */
export type WriterAnswer =
  | { readonly opened: { readonly nextSession: number } }
  | { readonly refused: { readonly code: YodelError['code']; readonly message: string } }
  | { readonly committed: number; readonly places: readonly HistoryPlace[] }
  | { readonly fault: WriterFault; readonly groups: number }
  | { readonly historyBytes: number }
  | { readonly closed: WriterFault | undefined };

/** The maximum number of groups in one commit, so that no commit takes long. */
const maxGroups = 256;
/** The interval at which an idle journal deletes messages that are too old. */
const trimEveryMs = 10_000;

class WriterThread {
  readonly #file: JournalFile;
  readonly #settings: WriterSettings;
  #hasFailed = false;
  /** The last answer of `historyBytes`. */
  #historyBytes = 0;
  #isClosed = false;
  #trimTimer: NodeJS.Timeout | undefined;

  constructor(file: JournalFile, settings: WriterSettings) {
    this.#file = file;
    this.#settings = settings;
    const { port, maxAge, maxSize } = settings;
    if (maxAge > 0 || maxSize > 0) this.#trimEvery(maxAge);
    port.on('message', (order: WriterOrder) => this.#execute(order));
    this.#reportHistories();
  }

  /** Executes an order. All groups that arrived during the last commit go into the next one. */
  #execute(first: WriterOrder): void {
    const groups: GroupData[] = [];
    let isClosing = false;
    let isProbing = false;
    for (let order: WriterOrder | undefined = first; order; order = this.#nextOrder(groups.length)) {
      if ('close' in order) isClosing = true;
      else if ('probe' in order) isProbing = true;
      else if ('limit' in order) this.#limit(order.limit);
      else groups.push(order.commit);
    }
    if (groups.length > 0) this.#commit(groups);
    if (isProbing) this.#attempt(() => this.#file.probe() ?? [], 0);
    if (isClosing) this.#close();
  }

  #nextOrder(taken: number): WriterOrder | undefined {
    if (taken >= maxGroups) return undefined;
    return receiveMessageOnPort(this.#settings.port)?.message as WriterOrder | undefined;
  }

  #commit(groups: readonly GroupData[]): void {
    const isWritten = this.#attempt(() => this.#file.commit(groups), groups.length);
    this.#reportHistories();
    // Freed at once: the garbage collectors hardly see memory outside their heaps.
    for (const { bytes } of groups) bytes.buffer.transfer(0);
    if (!isWritten) return;
    const fault = this.#try(() => this.#file.checkpoint());
    if (fault) answer({ fault, groups: 0 });
  }

  /** The limits of the histories of rooms. */
  #limit(limits: StoreLimits): void {
    this.#file.limitHistories(limits);
    const { maxAge, maxSize } = this.#settings;
    const { storedAge, storedBytes } = limits;
    if (maxAge > 0 || maxSize > 0 || storedAge > 0 || storedBytes > 0) this.#trimEvery(storedAge || maxAge);
    this.#trim();
  }

  /** @param age the shortest limit of age; 0: none */
  #trimEvery(age: number): void {
    clearInterval(this.#trimTimer);
    this.#trimTimer = setInterval(() => this.#trim(), Math.min(trimEveryMs, age || trimEveryMs)).unref();
  }

  /** Deletes what is beyond the limits even if nothing new arrives. */
  #trim(): void {
    if (this.#hasFailed || this.#isClosed) return;
    const fault = this.#try(() => void this.#file.commit([]));
    this.#reportHistories();
    if (fault) answer({ fault, groups: 0 });
    // After the orders that have arrived meanwhile.
    else if (this.#file.hasMoreToTrim) setImmediate(() => this.#trim());
  }

  #reportHistories(): void {
    const { historyBytes } = this.#file;
    if (historyBytes !== this.#historyBytes) answer({ historyBytes });
    this.#historyBytes = historyBytes;
  }

  #close(): void {
    this.#isClosed = true;
    answer({ closed: this.#try(() => this.#file.close()) });
    this.#settings.port.close();
  }

  /** Writes, and reports the outcome of `groups` groups. Returns whether it succeeded. */
  #attempt(write: () => readonly HistoryPlace[], groups: number): boolean {
    if (this.#hasFailed) return false;
    let places: readonly HistoryPlace[] = [];
    const fault = this.#try(() => {
      places = write();
    });
    answer(fault ? { fault, groups } : { committed: groups, places });
    return fault === undefined;
  }

  #try(run: () => void): WriterFault | undefined {
    try {
      run();
      return undefined;
    } catch (error) {
      const fault = faultOf(error, this.#settings.file);
      this.#hasFailed ||= fault.kind === 'fatal';
      return fault;
    }
  }
}

function faultOf(error: unknown, file: string): WriterFault {
  if (error instanceof YodelError && error.code === 'YODEL_NOT_RECORDED') {
    return { kind: 'passing', code: error.code, message: error.message };
  }
  const code = primaryCode(error);
  const reason = fileErrorReason(error);
  const passing = {
    [resultCode.full]: `the disk of the journal ${file} is full`,
    [resultCode.busy]: `the journal ${file} is locked by another program`,
  }[code];
  if (passing !== undefined) return { kind: 'passing', code: 'YODEL_NOT_RECORDED', message: passing };
  const message =
    code === resultCode.corrupt ? damaged(file, reason).message : `the journal ${file} cannot be written: ${reason}`;
  return { kind: 'fatal', code: 'YODEL_JOURNAL_FAILED', message };
}

function answer(answer: WriterAnswer): void {
  parentPort?.postMessage(answer);
}

/** Opens the file, and starts the thread's work. */
function start(settings: WriterSettings): void {
  let file: JournalFile;
  try {
    file = new JournalFile(settings);
  } catch (error) {
    const known = readingError(error, settings.file);
    if (!(known instanceof YodelError)) throw known;
    answer({ refused: { code: known.code, message: known.message } });
    return;
  }
  answer({ opened: { nextSession: file.nextSession } });
  new WriterThread(file, settings);
}

start(workerData as WriterSettings);
