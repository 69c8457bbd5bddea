/** The parent's view of the processes of a load test. */
import { YodelError } from '../errors.ts';
import { programArgument } from '../process/own-program.ts';
import { describeEnd, type ProcessEnd, ProgramProcess } from '../process/program-process.ts';
import type { GeneratorEnd, IntervalListener } from './generator.ts';
import type { Part } from './part.ts';
import type { LoadShare } from './plan.ts';
import { Tally, type TallyData } from './tally.ts';

/** From the parent. When the channel closes, the process exits. */
export type LoadCommand = { readonly open: LoadShare } | { readonly run: number } | { readonly stop: true };

/** From a process. */
export type LoadReport =
  | { readonly opened: { readonly code: YodelError['code']; readonly message: string } | null }
  | { readonly interval: number; readonly tally: TallyData; readonly up: number; readonly isLast: boolean }
  | { readonly end: GeneratorEnd };

/** Starts a process for each share. */
export function startWorkers(shares: readonly LoadShare[], listen: (process: number) => IntervalListener): Part[] {
  const program = programArgument('load-worker');
  return shares.map((share) => new Worker(program, share, listen(share.index)));
}

/** The time for a process to end after the command to stop, before it is killed. */
const stopTimeoutMs = 1000;

class Worker implements Part {
  readonly #share: LoadShare;
  readonly #listen: IntervalListener;
  readonly #process: ProgramProcess<LoadCommand, LoadReport>;
  readonly #opened = Promise.withResolvers<YodelError | undefined>();
  readonly #ended = Promise.withResolvers<GeneratorEnd>();
  #hasEnded = false;
  #intervals = 0;
  /** The error if the process could not be started. */
  #error: Error | undefined;

  constructor(program: string, share: LoadShare, listen: IntervalListener) {
    this.#share = share;
    this.#listen = listen;
    this.#process = new ProgramProcess({
      program,
      onMessage: (report) => this.#onReport(report),
      onError: (error) => {
        this.#error ??= error;
      },
    });
    void this.#process.ended.then((end) => this.#onEnd(end));
  }

  open(): Promise<YodelError | undefined> {
    this.#process.send({ open: this.#share });
    return this.#opened.promise;
  }

  run(startAt: number): void {
    this.#process.send({ run: startAt });
  }

  get ended(): Promise<GeneratorEnd> {
    return this.#ended.promise;
  }

  stop(): void {
    this.#process.send({ stop: true });
    // Kill a process that has not even started by then.
    setTimeout(() => this.#process.kill(), stopTimeoutMs).unref();
  }

  #onReport(report: LoadReport): void {
    if ('opened' in report) {
      this.#opened.resolve(report.opened ? new YodelError(report.opened.code, report.opened.message) : undefined);
    } else if ('interval' in report) {
      const tally = new Tally();
      tally.addData(report.tally);
      this.#intervals = report.interval + 1;
      this.#listen(report.interval, tally, report.up, report.isLast);
    } else {
      this.#hasEnded = true;
      this.#ended.resolve(report.end);
      this.#process.disconnect();
    }
  }

  /** If the process dies, the measurements of its last second are lost. */
  #onEnd(end: ProcessEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const how = this.#error?.message ?? describeEnd(end);
    const text = `process ${this.#share.index + 1} of ${this.#share.settings.threads} ended during the run: ${how}`;
    const error = new YodelError('YODEL_PROCESS_LOST', text);
    const tally = new Tally();
    tally.fail(error.code, error.message);
    this.#listen(this.#intervals, tally, 0, true);
    this.#opened.resolve(error);
    this.#ended.resolve({ ended: 'failed', elapsedMs: 0, sendingMs: 0, cpu: 0 });
  }
}
