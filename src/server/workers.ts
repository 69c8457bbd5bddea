/**
 * The parent's view of several processes that serve together. The parent starts them, replaces those that die, and sends
 * all of them the same commands. It serves no connections itself, so that little in it can fail.
 */
import type { Socket } from 'node:net';
import type { ProcessEnd } from '../process/program-process.ts';
import { beatMs } from './heartbeats.ts';
import { SocketPassing } from './socket-passing.ts';
import { Worker, type WorkerContext, type WorkerOptions, type WorkerView } from './worker.ts';

/** The program to run, and the number of processes. */
export interface WorkersOptions<Work> extends WorkerOptions {
  readonly count: number;
  readonly work: Work;
  /** Kills and replaces a worker that does not respond for this long, in milliseconds. 0: never. */
  readonly workerTimeout: number;
}

/** Keeps a number of processes running. */
export class Workers<Work> {
  readonly #workers: readonly Worker<Work>[];
  readonly #passing: SocketPassing;
  readonly #workerTimeout: number;
  #work: Work;
  #beats: NodeJS.Timeout | undefined;
  #metricsRequests = 0;

  constructor(options: WorkersOptions<Work>) {
    this.#work = options.work;
    this.#workerTimeout = options.workerTimeout;
    const context: WorkerContext<Work> = {
      work: () => this.#work,
      canTakeMore: () => this.#passing.passWaiting(),
      putBack: (sockets) => this.#passing.putBack(sockets),
    };
    this.#workers = Array.from({ length: options.count }, (_, index) => new Worker(index + 1, options, context));
    this.#passing = new SocketPassing(this.#workers);
  }

  get all(): readonly WorkerView[] {
    return this.#workers;
  }

  /** The number of connections that were not passed to a worker yet. */
  get passing(): number {
    return this.#passing.size;
  }

  /** Starts the workers. The first one starts alone, so that an error is reported once. @throws WorkerFailed; none runs then */
  async start(): Promise<void> {
    const [first, ...others] = this.#workers;
    this.#beats = setInterval(() => this.#tick(), beatMs);
    try {
      await first?.start();
      await Promise.all(others.map((worker) => worker.start()));
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  /**
   * Changes the work of one worker after another, so that only the first reports an error. A worker that does not respond
   * is killed and replaced.
   *
   * @throws Error with the reason of the first worker that refused; all then keep their old work
   */
  async reload(work: Work): Promise<void> {
    const before = this.#work;
    // Workers that start from now on use it.
    this.#work = work;
    for (const worker of this.#workers) {
      const refused = await worker.update();
      if (refused === undefined) continue;
      this.#work = before;
      await Promise.all(this.#workers.map((one) => one.update()));
      throw new Error(refused);
    }
  }

  /** The metrics of the workers that respond within the time. */
  async metrics(withinMs: number): Promise<string[]> {
    const request = ++this.#metricsRequests;
    const responses = await Promise.all(this.#workers.map((worker) => worker.metrics(request, withinMs)));
    return responses.filter((text) => text !== undefined);
  }

  /** Passes a connection to the workers in turn. It waits while none of them can take it. */
  pass(socket: Socket, address: string): void {
    this.#passing.add({ socket, address });
  }

  /** Resolves when all connections were passed to workers, at the latest after `withinMs`; those left then are closed. */
  async passed(withinMs: number): Promise<void> {
    await this.#passing.emptied(withinMs);
  }

  /** Shuts all workers down gracefully, kills those left after `withinMs`, and resolves with how each one ended. */
  async end(withinMs: number): Promise<ProcessEnd[]> {
    const timer = setTimeout(() => this.kill(), withinMs);
    const ends = await Promise.all(this.#workers.map((worker) => worker.drain()));
    clearTimeout(timer);
    clearInterval(this.#beats);
    return ends;
  }

  /** Kills all workers. */
  kill(): void {
    clearInterval(this.#beats);
    for (const worker of this.#workers) worker.kill();
  }

  #tick(): void {
    for (const worker of this.#workers) worker.tick(this.#workerTimeout);
  }
}
