/**
 * One of several processes that serve together. The parent starts it, watches it, and replaces it when it dies.
 *
 *     starting -> up -> ended -> (a pause that grows with each failure) -> starting …
 */
import type { Socket } from 'node:net';
import { describeEnd, type ProcessEnd, ProgramProcess } from '../process/program-process.ts';
import { PassedSockets } from './passed-sockets.ts';
import type { WorkerCommand, WorkerReport } from './worker-messages.ts';

/** Receives the events of workers, for the log. */
export interface WorkersListener {
  /** A worker printed a line; without the newline. */
  line(stream: 'stdout' | 'stderr', text: string): void;
  /** A worker ended unexpectedly; it is replaced in `restartInMs`. */
  died(worker: WorkerView, end: ProcessEnd, restartInMs: number): void;
  /** Its replacement listens. */
  replaced(worker: WorkerView): void;
}

/** The state of a worker. */
export interface WorkerView {
  /** From 1. Its replacement has the same number. */
  readonly number: number;
  readonly pid: number | undefined;
  /** Whether it listens. */
  readonly isUp: boolean;
  /** The number of times it was replaced. */
  readonly restarts: number;
}

/** The options of a worker. */
export interface WorkerOptions {
  /** The program, as `programArgument` returns it. */
  readonly program: string;
  /** Descriptors of this process that each worker inherits. */
  readonly descriptors?: readonly number[] | undefined;
  readonly listener: WorkersListener;
}

/** The pause before a worker is replaced. It doubles with each process that dies soon. */
const minPauseMs = 100;
const maxPauseMs = 10_000;
/** A worker that ran for this long did not fail at startup. */
const stableAfterMs = 10_000;
/** Generous, because loading a handler file may take long. */
const reloadTimeoutMs = 30_000;

/** Thrown by {@link Worker.start}: it ended before it listened. It has printed the reason on stderr. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed';
  readonly end: ProcessEnd;

  constructor(end: ProcessEnd) {
    super(`a worker could not start: ${describeEnd(end)}`);
    this.end = end;
  }
}

/** A worker and, when it dies, its replacements. */
export class Worker<Work> implements WorkerView {
  readonly number: number;
  isUp = false;
  restarts = 0;
  readonly #options: WorkerOptions;
  /** The work that all workers should currently serve. */
  readonly #work: () => Work;
  #process: ProgramProcess<WorkerCommand<Work>, WorkerReport> | undefined;
  #pause: NodeJS.Timeout | undefined;
  /** The number of processes in a row that died soon. */
  #failures = 0;
  #startedAt = 0;
  /** The process is expected to end. */
  #isEnding = false;
  #ended = Promise.withResolvers<ProcessEnd>();
  #listening = Promise.withResolvers<void>();
  /** The work that the process serves. */
  #served: Work | undefined;
  #reloads = 0;
  #reloaded: ((refused: string | undefined) => void) | undefined;
  readonly #metricsRequests = new Map<number, (text: string | undefined) => void>();
  readonly #sockets = new PassedSockets();

  constructor(number: number, options: WorkerOptions, work: () => Work) {
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

  /** Switches to the current work. A worker that is starting does so once it listens. Returns the reason if it refuses. */
  async update(): Promise<string | undefined> {
    const work = this.#work();
    if (!this.isUp || this.#served === work) return undefined;
    const refused = await this.#reload(work);
    if (refused === undefined) this.#served = work;
    return refused;
  }

  /** The worker's metrics; undefined if it does not respond within the time. */
  async metrics(request: number, withinMs: number): Promise<string | undefined> {
    if (!this.isUp) return undefined;
    return await new Promise((resolve) => {
      const timer = setTimeout(() => this.#resolveMetrics(request, undefined), withinMs);
      this.#metricsRequests.set(request, (text) => {
        clearTimeout(timer);
        resolve(text);
      });
      this.#process?.send({ metrics: request });
    });
  }

  /** Passes a connection to the worker. Returns false if it cannot accept one now. */
  pass(socket: Socket, address: string): boolean {
    if (!this.isUp || !this.#process?.isConnected || this.#sockets.isFull) return false;
    const number = this.#sockets.add(socket);
    this.#process.sendSocket({ connectionAt: address, number }, socket, () => this.#sockets.release(number));
    return true;
  }

  /** Shuts the worker down gracefully. */
  drain(): Promise<ProcessEnd> {
    this.#isEnding = true;
    clearTimeout(this.#pause);
    if (!this.#process) return Promise.resolve({ status: 0, signal: null });
    this.#process.send({ drain: true });
    return this.#ended.promise;
  }

  /** Kills the worker. */
  kill(): void {
    this.#isEnding = true;
    clearTimeout(this.#pause);
    this.#process?.kill();
  }

  /** Runs a process, and resolves when it has ended. */
  #run(): Promise<ProcessEnd> {
    const { program, descriptors = [], listener } = this.#options;
    this.#ended = Promise.withResolvers();
    this.#listening = Promise.withResolvers();
    this.#startedAt = performance.now();
    this.#served = this.#work();
    const started = new ProgramProcess<WorkerCommand<Work>, WorkerReport>({
      program,
      descriptors,
      args: [String(this.number)],
      onLine: (stream, line) => listener.line(stream, line),
      onMessage: (report) => this.#onReport(report),
      onError: (error) => listener.line('stderr', `yodel: worker ${this.number}: ${error.message}`),
    });
    this.#process = started;
    void started.ended.then((end) => this.#onEnd(end));
    started.send({ serve: this.#served });
    return this.#ended.promise;
  }

  async #reload(work: Work): Promise<string | undefined> {
    const number = ++this.#reloads;
    return await new Promise((resolve) => {
      const late = () => {
        this.#process?.kill();
        resolve(`worker ${this.number} did not respond within ${reloadTimeoutMs / 1000} s and is being replaced`);
      };
      const timer = setTimeout(late, reloadTimeoutMs);
      this.#reloaded = (refused) => {
        clearTimeout(timer);
        resolve(refused);
      };
      this.#process?.send({ reload: work, number });
    });
  }

  #onReport(report: WorkerReport): void {
    if ('listening' in report) void this.#onListening();
    else if ('draining' in report) this.isUp = false;
    else if ('received' in report) this.#sockets.release(report.received);
    else if ('metrics' in report) this.#resolveMetrics(report.metrics, report.text);
    // A late response to an earlier request must be ignored.
    else if (report.reloaded === this.#reloads) this.#reloaded?.(report.refused);
  }

  async #onListening(): Promise<void> {
    this.isUp = true;
    // The work may have changed while the worker was starting.
    const refused = await this.update();
    if (refused !== undefined) return void this.#process?.kill();
    this.#listening.resolve();
    if (this.restarts > 0) this.#options.listener.replaced(this);
  }

  #resolveMetrics(request: number, text: string | undefined): void {
    this.#metricsRequests.get(request)?.(text);
    this.#metricsRequests.delete(request);
  }

  #onEnd(end: ProcessEnd): void {
    this.#process = undefined;
    this.isUp = false;
    this.#reloaded?.(undefined);
    this.#sockets.releaseAll();
    for (const request of [...this.#metricsRequests.keys()]) this.#resolveMetrics(request, undefined);
    this.#ended.resolve(end);
    if (!this.#isEnding) this.#replace(end);
  }

  #replace(end: ProcessEnd): void {
    const wasStable = performance.now() - this.#startedAt >= stableAfterMs;
    this.#failures = wasStable ? 0 : this.#failures + 1;
    const pauseMs = Math.min(maxPauseMs, minPauseMs * 2 ** Math.max(0, this.#failures - 1));
    this.#options.listener.died(this, end, pauseMs);
    this.#pause = setTimeout(() => {
      this.restarts++;
      void this.#run();
    }, pauseMs);
  }
}
