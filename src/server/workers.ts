/**
 * Several processes that serve together, as the one sees them that keeps them: it starts them, replaces those that die, and
 * tells all what to do. It takes part in no conversation, so it has little that could break.
 *
 *     starting -> up -> ended -> (a pause that grows with failures) -> starting …
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** What a worker is told. `Work` is what to serve, as plain data. */
export type Order<Work> =
  | { readonly serve: Work }
  /** To go on with. The answer has the same number. */
  | { readonly reload: Work; readonly number: number }
  /** Comes with a socket that was accepted at that address; to be told when it was taken. */
  | { readonly connectionAt: string; readonly number: number }
  | { readonly metrics: number }
  | { readonly drain: true };

/** What a worker says. */
export type Report =
  | { readonly listening: true }
  /** It takes no more connections. */
  | { readonly draining: true }
  /** Without a reason it went well. */
  | { readonly reloaded: number; readonly refused?: string | undefined }
  | { readonly taken: number }
  | { readonly metrics: number; readonly text: string };

/** How a worker ended. */
export interface WorkerEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What happens, for whoever keeps the log. */
export interface WorkersListener {
  /** A line that a worker wrote, without the newline. */
  line(stream: 'stdout' | 'stderr', text: string): void;
  /** A worker ended that should not have; another one starts in `restartInMs`. */
  died(worker: WorkerView, end: WorkerEnd, restartInMs: number): void;
  /** The one that took its place listens. */
  replaced(worker: WorkerView): void;
}

/** A worker, to look at. */
export interface WorkerView {
  /** From 1. Whoever takes its place has the same. */
  readonly number: number;
  readonly pid: number | undefined;
  /** It listens. */
  readonly isUp: boolean;
  /** How often it was replaced. */
  readonly restarts: number;
}

/** What is to be run, and how often. */
export interface WorkersOptions<Work> {
  readonly count: number;
  /** The file that each process runs. */
  readonly program: string;
  readonly work: Work;
  /** Descriptors of this process that each worker gets, from {@link firstInherited} on. */
  readonly descriptors?: readonly number[] | undefined;
  readonly listener: WorkersListener;
}

/** Where inherited descriptors begin in a worker: behind stdin, stdout, stderr and the channel to its parent. */
export const firstInherited = 4;

/** The pause before a worker is replaced; it doubles with each one that did not live long. */
const firstPauseMs = 100;
const longestPauseMs = 10_000;
/** A worker that lived so long has not failed because of how it was started. */
const longLifeMs = 10_000;
/** Connections that were handed to a worker and not taken yet: one that has more of them hangs, and gets no others. */
const mostUntaken = 16;
/** A line that a worker writes is cut where it is longer: a handler may write anything to its stdout. */
const longestLine = 1_048_576;
/** A handler file may do much when it is loaded; a process that hangs does not answer at all. */
const reloadWithinMs = 30_000;
/** Lines that a worker wrote last may come after its end; one that left a child behind which holds its stdout never ends them. */
const lastLinesMs = 500;

/** Thrown by {@link Workers.start}: a worker ended before it listened. It has said why on stderr. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed';
  readonly end: WorkerEnd;

  constructor(end: WorkerEnd) {
    super(`a worker could not start: ${describeEnd(end)}`);
    this.end = end;
  }
}

/** Keeps so many processes running. */
export class Workers<Work> {
  readonly #workers: readonly Worker<Work>[];
  #work: Work;
  #next = 0;
  #questions = 0;

  constructor(options: WorkersOptions<Work>) {
    this.#work = options.work;
    const work = () => this.#work;
    this.#workers = Array.from({ length: options.count }, (_, index) => new Worker(index + 1, options, work));
  }

  get all(): readonly WorkerView[] {
    return this.#workers;
  }

  /** Starts them, the first one first: what is wrong is said once. @throws WorkerFailed; then none is left */
  async start(): Promise<void> {
    const [first, ...others] = this.#workers;
    try {
      await first?.start();
      await Promise.all(others.map((worker) => worker.start()));
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  /**
   * Lets them go on with other work: one after the other, so that what is wrong is found by the first. One that does not
   * answer is killed, and replaced.
   *
   * @throws Error with the reason of the first that refused; then all go on with what they had
   */
  async reload(work: Work): Promise<void> {
    const before = this.#work;
    // Who starts from now on begins with it.
    this.#work = work;
    for (const worker of this.#workers) {
      const refused = await worker.follow();
      if (refused === undefined) continue;
      this.#work = before;
      await Promise.all(this.#workers.map((one) => one.follow()));
      throw new Error(refused);
    }
  }

  /** The metrics of those that answer within the time. */
  async metrics(withinMs: number): Promise<string[]> {
    const question = ++this.#questions;
    const answers = await Promise.all(this.#workers.map((worker) => worker.metrics(question, withinMs)));
    return answers.filter((text) => text !== undefined);
  }

  /** Gives a connection to one of them, in turn. */
  hand(socket: Socket, address: string): void {
    for (let tries = 0; tries < this.#workers.length; tries++) {
      const worker = this.#workers[this.#next++ % this.#workers.length];
      if (worker?.hand(socket, address)) return;
    }
    socket.destroy();
  }

  /** Ends them in order. Resolves with how each one ended. Whoever is not done after `withinMs` is killed. */
  async end(withinMs: number): Promise<WorkerEnd[]> {
    const timer = setTimeout(() => this.kill(), withinMs);
    const ends = await Promise.all(this.#workers.map((worker) => worker.drain()));
    clearTimeout(timer);
    return ends;
  }

  /** Ends them at once. */
  kill(): void {
    for (const worker of this.#workers) worker.kill();
  }
}

class Worker<Work> implements WorkerView {
  readonly number: number;
  isUp = false;
  restarts = 0;
  readonly #options: WorkersOptions<Work>;
  readonly #work: () => Work;
  #process: ChildProcess | undefined;
  #pause: NodeJS.Timeout | undefined;
  /** How many in a row did not live long. */
  #failures = 0;
  #startedAt = 0;
  #isEnding = false;
  #ended = Promise.withResolvers<WorkerEnd>();
  #listening = Promise.withResolvers<void>();
  /** The work that it has. */
  #given: Work | undefined;
  #reloads = 0;
  #reloaded: ((refused: string | undefined) => void) | undefined;
  readonly #questions = new Map<number, (text: string | undefined) => void>();
  #handed = 0;
  /** Connections that were handed to it, until it has them. */
  readonly #untaken = new Map<number, Socket>();

  constructor(number: number, options: WorkersOptions<Work>, work: () => Work) {
    this.number = number;
    this.#options = options;
    this.#work = work;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves when it listens. @throws WorkerFailed */
  async start(): Promise<void> {
    this.#isEnding = true;
    const failed = this.#run().then((end) => Promise.reject(new WorkerFailed(end)));
    await Promise.race([this.#listening.promise, failed]);
    failed.catch(() => undefined);
    this.#isEnding = false;
  }

  /** Goes on with what is its work now. One that is starting does so when it listens. Gives the reason when it refuses. */
  async follow(): Promise<string | undefined> {
    const work = this.#work();
    if (!this.isUp || this.#given === work) return undefined;
    const refused = await this.#reload(work);
    if (refused === undefined) this.#given = work;
    return refused;
  }

  async #reload(work: Work): Promise<string | undefined> {
    const number = ++this.#reloads;
    return await new Promise((resolve) => {
      const late = () => {
        this.#process?.kill('SIGKILL');
        resolve(`worker ${this.number} did not answer within ${reloadWithinMs / 1000} s, and is replaced`);
      };
      const timer = setTimeout(late, reloadWithinMs);
      this.#reloaded = (refused) => {
        clearTimeout(timer);
        resolve(refused);
      };
      this.#say({ reload: work, number });
    });
  }

  async metrics(question: number, withinMs: number): Promise<string | undefined> {
    if (!this.isUp) return undefined;
    return await new Promise((resolve) => {
      const timer = setTimeout(() => this.#answer(question, undefined), withinMs);
      this.#questions.set(question, (text) => {
        clearTimeout(timer);
        resolve(text);
      });
      this.#say({ metrics: question });
    });
  }

  /** False: it cannot take it. */
  hand(socket: Socket, address: string): boolean {
    if (!this.isUp || !this.#process?.connected || this.#untaken.size >= mostUntaken) return false;
    const number = ++this.#handed;
    this.#untaken.set(number, socket);
    // Held open here until the worker has it: what is on its way to one that dies would be open for ever, and nobody's.
    const options = { keepOpen: true };
    this.#process.send({ connectionAt: address, number } satisfies Order<Work>, socket, options, (error) => {
      if (error) this.#taken(number);
    });
    return true;
  }

  /** Closes this process's own end: the connection is the worker's, or nobody's. */
  #taken(number: number): void {
    this.#untaken.get(number)?.destroy();
    this.#untaken.delete(number);
  }

  drain(): Promise<WorkerEnd> {
    this.#isEnding = true;
    clearTimeout(this.#pause);
    if (!this.#process) return Promise.resolve({ status: 0, signal: null });
    this.#say({ drain: true });
    return this.#ended.promise;
  }

  kill(): void {
    this.#isEnding = true;
    clearTimeout(this.#pause);
    this.#process?.kill('SIGKILL');
  }

  #say(order: Order<Work>): void {
    // What is said to a process that has gone is lost; that it has gone is told by its end.
    if (this.#process?.connected) this.#process.send(order, () => undefined);
  }

  /** Runs a process, and resolves when it has ended. */
  #run(): Promise<WorkerEnd> {
    const { program, descriptors = [], listener } = this.#options;
    this.#ended = Promise.withResolvers();
    this.#listening = Promise.withResolvers();
    this.#startedAt = performance.now();
    this.#given = this.#work();
    const child = spawn(process.execPath, [...process.execArgv, program, String(this.number)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', ...descriptors],
    });
    this.#process = child;
    eachLine(child.stdout, (text) => listener.line('stdout', text));
    eachLine(child.stderr, (text) => listener.line('stderr', text));
    child.on('message', (report) => this.#hear(report as Report));
    const ended = (end: WorkerEnd) => {
      if (this.#process !== child) return;
      this.#process = undefined;
      this.#hasEnded(end);
    };
    child.on('error', (error) => {
      listener.line('stderr', `yodel: worker ${this.number}: ${error.message}`);
      // Without a pid it was never there, and has no end to tell of.
      if (child.pid === undefined) ended({ status: 1, signal: null });
    });
    child.on('exit', (status, signal) => setTimeout(() => ended({ status, signal }), lastLinesMs).unref());
    child.on('close', (status, signal) => ended({ status, signal: signal as NodeJS.Signals | null }));
    this.#say({ serve: this.#given });
    return this.#ended.promise;
  }

  #hear(report: Report): void {
    if ('listening' in report) void this.#isListening();
    else if ('draining' in report) this.isUp = false;
    else if ('taken' in report) this.#taken(report.taken);
    else if ('metrics' in report) this.#answer(report.metrics, report.text);
    // An answer that comes too late is no answer to what was asked since.
    else if (report.reloaded === this.#reloads) this.#reloaded?.(report.refused);
  }

  async #isListening(): Promise<void> {
    this.isUp = true;
    // Its work may have changed while it started.
    const refused = await this.follow();
    if (refused !== undefined) return void this.#process?.kill('SIGKILL');
    this.#listening.resolve();
    if (this.restarts > 0) this.#options.listener.replaced(this);
  }

  #answer(question: number, text: string | undefined): void {
    this.#questions.get(question)?.(text);
    this.#questions.delete(question);
  }

  #hasEnded(end: WorkerEnd): void {
    this.isUp = false;
    this.#reloaded?.(undefined);
    for (const number of [...this.#untaken.keys()]) this.#taken(number);
    for (const question of [...this.#questions.keys()]) this.#answer(question, undefined);
    this.#ended.resolve(end);
    if (this.#isEnding) return;
    const livedLong = performance.now() - this.#startedAt >= longLifeMs;
    this.#failures = livedLong ? 0 : this.#failures + 1;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.max(0, this.#failures - 1));
    this.#options.listener.died(this, end, pauseMs);
    this.#pause = setTimeout(() => {
      this.restarts++;
      void this.#run();
    }, pauseMs);
  }
}

/** `status 1`, `SIGKILL`. */
export function describeEnd({ status, signal }: WorkerEnd): string {
  return signal === null ? `status ${status}` : signal;
}

/** Whole lines only: what a process that was killed had begun is no line. */
function eachLine(stream: NodeJS.ReadableStream | null, take: (text: string) => void): void {
  let pieces: string[] = [];
  let length = 0;
  const finish = () => {
    take(pieces.join(''));
    pieces = [];
    length = 0;
  };
  stream?.setEncoding('utf8').on('data', (text: string) => {
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      pieces.push(text.slice(from, end));
      finish();
      from = end + 1;
    }
    if (from === text.length) return;
    pieces.push(text.slice(from));
    length += text.length - from;
    if (length > longestLine) finish();
  });
}
