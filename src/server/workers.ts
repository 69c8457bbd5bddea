/**
 * The parent's view of several processes that serve together. The parent starts them, replaces those that die, and sends
 * all of them the same commands. It serves no connections itself, so that little in it can fail.
 */
import type { Socket } from 'node:net';
import type { ProcessEnd } from '../process/program-process.ts';
import { Worker, type WorkerOptions, type WorkerView } from './worker.ts';

/** The program to run, and the number of processes. */
export interface WorkersOptions<Work> extends WorkerOptions {
  readonly count: number;
  readonly work: Work;
}

/** Keeps a number of processes running. */
export class Workers<Work> {
  readonly #workers: readonly Worker<Work>[];
  #work: Work;
  #next = 0;
  #metricsRequests = 0;

  constructor(options: WorkersOptions<Work>) {
    this.#work = options.work;
    const work = () => this.#work;
    this.#workers = Array.from({ length: options.count }, (_, index) => new Worker(index + 1, options, work));
  }

  get all(): readonly WorkerView[] {
    return this.#workers;
  }

  /** Starts the workers. The first one starts alone, so that an error is reported once. @throws WorkerFailed; none runs then */
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

  /** Passes a connection to the workers in turn. */
  pass(socket: Socket, address: string): void {
    for (let tries = 0; tries < this.#workers.length; tries++) {
      const worker = this.#workers[this.#next++ % this.#workers.length];
      if (worker?.pass(socket, address)) return;
    }
    socket.destroy();
  }

  /** Shuts all workers down gracefully, kills those left after `withinMs`, and resolves with how each one ended. */
  async end(withinMs: number): Promise<ProcessEnd[]> {
    const timer = setTimeout(() => this.kill(), withinMs);
    const ends = await Promise.all(this.#workers.map((worker) => worker.drain()));
    clearTimeout(timer);
    return ends;
  }

  /** Kills all workers. */
  kill(): void {
    for (const worker of this.#workers) worker.kill();
  }
}
