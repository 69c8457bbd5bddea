/** Notices that this process's event loop is blocked, while it is: a thread watches it. */
import type { Worker } from 'node:worker_threads';
import type { WatchdogSettings } from './watchdog-thread.ts';

/** What is watched, and how it is reported. */
export type WatchdogOptions = Omit<WatchdogSettings, 'shared' | 'intervalMs'>;

/** So often within the threshold the thread looks. */
const looks = 4;
const minIntervalMs = 20;
/** For an orphan alone, seldom is enough. */
const maxIntervalMs = 500;

/** Loads the program of the thread, so that {@link Watchdog.start} does not wait for it. */
export async function loadWatchdog(options: WatchdogOptions): Promise<Watchdog> {
  // Imported late, or the bundler would take the empty text of src/ for a constant.
  const { watchdogText } = await import('./watchdog-text.ts');
  return new Watchdog(options, watchdogText);
}

/** Watches this process from `start` to its end. */
export class Watchdog {
  /** Its first element is the id of the session whose handler is called at the moment; 0 for none. */
  readonly running: Int32Array;
  readonly #options: WatchdogOptions;
  readonly #program: string;
  readonly #shared = new SharedArrayBuffer(8);
  #thread: Worker | undefined;

  /** @param program the thread's program as text; empty: a file has it */
  constructor(options: WatchdogOptions, program: string) {
    this.#options = options;
    this.#program = program;
    this.running = new Int32Array(this.#shared, 4, 1);
  }

  /** Starts the thread. It keeps no process running. It costs about 10 MB, and two timers. */
  start(): void {
    const { thresholdMs } = this.#options;
    const intervalMs = Math.max(minIntervalMs, Math.min(maxIntervalMs, thresholdMs / looks || maxIntervalMs));
    const workerData: WatchdogSettings = { ...this.#options, shared: this.#shared, intervalMs };
    // Loaded only now: a server starts it when it listens already.
    const { Worker } = process.getBuiltinModule('node:worker_threads');
    this.#thread =
      this.#program === ''
        ? new Worker(new URL('./watchdog-thread.ts', import.meta.url), { workerData })
        : new Worker(this.#program, { eval: true, workerData });
    this.#thread.on('error', (error) => process.emitWarning(error)).unref();
    const beats = new Int32Array(this.#shared, 0, 1);
    setInterval(() => Atomics.add(beats, 0, 1), intervalMs).unref();
  }

  /** Changes what the handler is called. */
  setHandler(handler: string): void {
    this.#thread?.postMessage(handler);
  }
}
