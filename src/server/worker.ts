/**
 * One of several processes that serve together. The parent starts it, watches it, and replaces it when it dies.
 *
 *     starting -> up -> ended -> (a pause that grows with each failure) -> starting …
 */
import { realClock } from '../clock.ts';
import { describeEnd, type ProcessEnd, ProgramProcess } from '../process/program-process.ts';
import { Heartbeats } from './heartbeats.ts';
import { type PassedSocket, PassedSockets } from './passed-sockets.ts';
import type { SocketTaker } from './socket-passing.ts';
import type { WorkerCommand, WorkerReport } from './worker-messages.ts';

/** Receives the events of workers, for the log. */
export interface WorkersListener {
  /** A worker printed a line; without the newline. */
  line(stream: 'stdout' | 'stderr', text: string): void;
  /** A worker ended unexpectedly; it is replaced in `restartInMs`. */
  died(worker: WorkerView, end: ProcessEnd, restartInMs: number): void;
  /** Its replacement listens. */
  replaced(worker: WorkerView): void;
  /** A worker has not responded for `silentMs`. */
  hangs(worker: WorkerView, silentMs: number): void;
  /** A worker that hung responds again, after `silentMs`. */
  responds(worker: WorkerView, silentMs: number): void;
  /** A worker has not responded for longer than the limit, and is killed. */
  givenUp(worker: WorkerView, silentMs: number): void;
}

/** The state of a worker. */
export interface WorkerView {
  /** From 1. Its replacement has the same number. */
  readonly number: number;
  readonly pid: number | undefined;
  /** Whether it listens. */
  readonly isUp: boolean;
  /** Whether it does not respond. */
  readonly hangs: boolean;
  /** Whether it has no connection to the bus between servers. False if there is no such bus. */
  readonly isCutOff: boolean;
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
  /** Kills and replaces a worker that takes longer to change its work, in milliseconds. 0: never. */
  readonly reloadTimeout: number;
}

/** What a worker needs of those that run beside it. */
export interface WorkerContext<Work> {
  /** The work that all workers should currently serve. */
  work(): Work;
  /** It may be able to take connections again. */
  canTakeMore(): void;
  /** It did not receive these connections, because it ends. */
  putBack(sockets: readonly PassedSocket[]): void;
}

/** The pause before a worker is replaced. It doubles with each process that dies soon. */
const minPauseMs = 100;
const maxPauseMs = 10_000;
/** A worker that ran for this long did not fail at startup. */
const stableAfterMs = 10_000;

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
export class Worker<Work> implements WorkerView, SocketTaker {
  readonly number: number;
  isUp = false;
  isCutOff = false;
  restarts = 0;
  readonly #options: WorkerOptions;
  readonly #context: WorkerContext<Work>;
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
  readonly #heartbeats = new Heartbeats();
  /** It was reported that the process hangs. */
  #isHangReported = false;

  constructor(number: number, options: WorkerOptions, context: WorkerContext<Work>) {
    this.number = number;
    this.#options = options;
    this.#context = context;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get hangs(): boolean {
    return this.#heartbeats.hangs;
  }

  get canTake(): boolean {
    return this.isUp && !this.hangs && !this.#sockets.isFull && this.#process?.isConnected === true;
  }

  get passing(): number {
    return this.#sockets.size;
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
    const work = this.#context.work();
    if (!this.isUp || this.#served === work) return undefined;
    const refused = await this.#reload(work);
    if (refused === undefined) this.#served = work;
    return refused;
  }

  /** The worker's metrics; undefined if it does not respond within the time. */
  async metrics(request: number, withinMs: number): Promise<string | undefined> {
    if (!this.isUp || this.hangs) return undefined;
    return await new Promise((resolve) => {
      const timer = realClock.deadline(withinMs, () => this.#resolveMetrics(request, undefined));
      this.#metricsRequests.set(request, (text) => {
        timer.cancel();
        resolve(text);
      });
      this.#process?.send({ metrics: request });
    });
  }

  /** Passes a connection to the worker, which must be able to take it. */
  pass(passed: PassedSocket): void {
    const number = this.#sockets.add(passed);
    this.#process?.sendSocket({ connectionAt: passed.address, number }, passed.socket, () => {
      // What a process that has ended did not receive goes to another one.
      if (this.#process?.isConnected) this.#sockets.release(number);
    });
  }

  /** An interval of heartbeats is over. @param limitMs a worker that is silent for this long is killed; 0: never */
  tick(limitMs: number): void {
    this.#heartbeats.tick();
    const { silentMs, hangs } = this.#heartbeats;
    if (!hangs) return;
    const { listener } = this.#options;
    if (!this.#isHangReported) listener.hangs(this, silentMs);
    this.#isHangReported = true;
    if (limitMs === 0 || silentMs < limitMs) return;
    listener.givenUp(this, silentMs);
    this.#heartbeats.reset();
    this.#process?.kill();
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
    this.#served = this.#context.work();
    this.#heartbeats.reset();
    this.#isHangReported = false;
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
    const { reloadTimeout } = this.#options;
    return await new Promise((resolve) => {
      const late = () => {
        this.#process?.kill();
        resolve(`worker ${this.number} did not respond within ${reloadTimeout / 1000} s and is being replaced`);
      };
      const timer = reloadTimeout > 0 ? realClock.deadline(reloadTimeout, late) : undefined;
      this.#reloaded = (refused) => {
        timer?.cancel();
        resolve(refused);
      };
      this.#process?.send({ reload: work, number });
    });
  }

  #onReport(report: WorkerReport): void {
    this.#beat();
    if ('listening' in report) void this.#onListening();
    else if ('draining' in report) this.isUp = false;
    else if ('bus' in report) this.isCutOff = report.bus === 'disconnected';
    else if ('received' in report) this.#received(report.received);
    else if ('returned' in report) this.#context.putBack(this.#sockets.take(report.returned));
    else if ('metrics' in report) this.#resolveMetrics(report.metrics, report.text);
    // A late response to an earlier request must be ignored.
    else if ('reloaded' in report && report.reloaded === this.#reloads) this.#reloaded?.(report.refused);
  }

  #beat(): void {
    const { silentMs } = this.#heartbeats;
    this.#heartbeats.beat();
    if (!this.#isHangReported) return;
    this.#isHangReported = false;
    this.#options.listener.responds(this, silentMs);
    this.#context.canTakeMore();
  }

  #received(number: number): void {
    this.#sockets.release(number);
    this.#context.canTakeMore();
  }

  async #onListening(): Promise<void> {
    this.isUp = true;
    // The work may have changed while the worker was starting.
    const refused = await this.update();
    if (refused !== undefined) return void this.#process?.kill();
    this.#listening.resolve();
    this.#context.canTakeMore();
    if (this.restarts > 0) this.#options.listener.replaced(this);
  }

  #resolveMetrics(request: number, text: string | undefined): void {
    this.#metricsRequests.get(request)?.(text);
    this.#metricsRequests.delete(request);
  }

  #onEnd(end: ProcessEnd): void {
    this.#process = undefined;
    this.isUp = false;
    this.isCutOff = false;
    this.#reloaded?.(undefined);
    this.#heartbeats.reset();
    for (const request of [...this.#metricsRequests.keys()]) this.#resolveMetrics(request, undefined);
    this.#ended.resolve(end);
    this.#context.putBack(this.#sockets.takeAll());
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
