/** The processes of a load test that runs in several, as their parent sees them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type ErrorCode, YodelError } from '../errors.ts';
import { programArgument } from '../process/own-program.ts';
import type { GeneratorEnd, IntervalListener } from './generator.ts';
import type { Part } from './part.ts';
import type { LoadShare } from './plan.ts';
import { Tally, type TallyData } from './tally.ts';

/** What the parent says: one JSON object a line on stdin. When stdin ends, so does the process. */
export type Order = { readonly open: LoadShare } | { readonly run: number } | { readonly stop: true };

/** What a process says: one JSON object a line on stdout. */
export type Answer =
  | { readonly opened: { readonly code: ErrorCode; readonly message: string } | null }
  | { readonly interval: number; readonly tally: TallyData; readonly up: number; readonly isLast: boolean }
  | { readonly end: GeneratorEnd };

/** In src/load/, or in dist/load/ where this file is part of a chunk in another folder of dist/. */
const program = programArgument(
  'load-worker',
  new URL(`../load/worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
);

/** Starts a process for each share. */
export function startWorkers(shares: readonly LoadShare[], listen: (process: number) => IntervalListener): Part[] {
  return shares.map((share) => new Worker(share, listen(share.index)));
}

/** How long a process may take to end when it is told to. */
const stopWithinMs = 1000;

class Worker implements Part {
  readonly #share: LoadShare;
  readonly #listen: IntervalListener;
  readonly #process: ChildProcess;
  readonly #opened = Promise.withResolvers<YodelError | undefined>();
  readonly #ended = Promise.withResolvers<GeneratorEnd>();
  #hasEnded = false;
  #intervals = 0;

  constructor(share: LoadShare, listen: IntervalListener) {
    this.#share = share;
    this.#listen = listen;
    this.#process = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    // What is said to a process that has gone is lost; that it has gone is told by its end.
    this.#process.stdin?.on('error', () => undefined);
    this.#process.on('error', (error) => this.#lost(error.message));
    this.#process.on('close', (status, signal) => this.#lost(signal ?? `status ${status}`));
    if (this.#process.stdout) {
      createInterface({ input: this.#process.stdout }).on('line', (line) => this.#hear(JSON.parse(line) as Answer));
    }
  }

  open(): Promise<YodelError | undefined> {
    this.#say({ open: this.#share });
    return this.#opened.promise;
  }

  run(startAt: number): void {
    this.#say({ run: startAt });
  }

  get ended(): Promise<GeneratorEnd> {
    return this.#ended.promise;
  }

  stop(): void {
    this.#say({ stop: true });
    // One that has not even started by then would be waited for.
    setTimeout(() => this.#process.kill('SIGKILL'), stopWithinMs).unref();
  }

  #say(order: Order): void {
    this.#process.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  #hear(answer: Answer): void {
    if ('opened' in answer) {
      this.#opened.resolve(answer.opened ? new YodelError(answer.opened.code, answer.opened.message) : undefined);
    } else if ('interval' in answer) {
      const tally = new Tally();
      tally.addData(answer.tally);
      this.#intervals = answer.interval + 1;
      this.#listen(answer.interval, tally, answer.up, answer.isLast);
    } else {
      this.#hasEnded = true;
      this.#ended.resolve(answer.end);
      this.#process.stdin?.end();
    }
  }

  /** What it has measured in its last second is lost with it. */
  #lost(how: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const text = `process ${this.#share.index + 1} of ${this.#share.settings.threads} ended in the middle: ${how}`;
    const error = new YodelError('YODEL_PROCESS_LOST', text);
    const tally = new Tally();
    tally.fail(error.code, error.message);
    this.#listen(this.#intervals, tally, 0, true);
    this.#opened.resolve(error);
    this.#ended.resolve({ ended: 'failed', elapsedMs: 0, sendingMs: 0, cpu: 0 });
  }
}
