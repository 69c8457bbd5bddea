/**
 * Writes lines on stdout or stderr without ever delaying the server: while the reader is too slow, or nothing can be written,
 * lines are dropped, and one line reports how many.
 */
import { nonBlockingSink, type ReopenableSink, type Unwritten } from '../terminal/sink.ts';
import { Writer } from '../terminal/writer.ts';
import type { GatedOutput } from './gate.ts';

/** How long lines are gathered into one write, in milliseconds. */
const gatherMs = 5;
/** While more bytes than this are pending, lines are dropped, until half of them are written. */
const maxPending = 8_388_608;
/** How often writing is tried again after it failed, in milliseconds. */
const retryMs = 1000;
/** Beyond this number, lines that stand for others are counted as one when they are lost themselves. */
const maxReports = 1000;

/** Why lines are missing; with an error, they could not be written. */
export interface Drop {
  readonly lines: number;
  readonly error?: NodeJS.ErrnoException | undefined;
}

/** What a {@link LineWriter} needs besides its stream. */
export interface LineWriterOptions {
  /** Returns the line that reports how many lines were dropped, in the format of the others. */
  readonly droppedLine: (drop: Drop) => string;
  /** Called when the reader is gone (EPIPE) or writing fails. Lines are then counted until they can be written again. */
  readonly failed?: ((error: NodeJS.ErrnoException) => void) | undefined;
  /** Called when lines can be written again. @param lines how many could not */
  readonly resumed?: ((lines: number) => void) | undefined;
  /** How long to wait before writing is tried again after a failure. Default: a second. */
  readonly retryMs?: number | undefined;
}

/** A time in which nothing can be written. */
interface Outage {
  readonly error: NodeJS.ErrnoException;
  /** The rest of a line that was written in part. */
  readonly rest: Buffer;
  lines: number;
}

/** Writes lines, and drops those that a slow reader does not accept in time. */
export class LineWriter implements GatedOutput {
  readonly #sink: ReopenableSink;
  readonly #options: LineWriterOptions;
  #writer: Writer;
  /** Lines that a slow reader did not accept. */
  #dropped = 0;
  #outage: Outage | undefined;
  /** Whether the output ended inside a line when writing failed. */
  #isInside = false;
  #retry: NodeJS.Timeout | undefined;
  /** The number of lines written since the sink was opened, and those of them that stand for several. */
  #written = 0;
  #reports: { readonly number: number; readonly lines: number }[] = [];

  /** @param sink 1 for stdout, 2 for stderr, or another sink */
  constructor(sink: 1 | 2 | ReopenableSink, options: LineWriterOptions) {
    this.#sink = typeof sink === 'number' ? nonBlockingSink(sink) : sink;
    this.#options = options;
    this.#writer = this.#open();
  }

  /** Whether lines are written, and not dropped. Ask before formatting a line that costs time. */
  get isOpen(): boolean {
    if (this.#outage) return false;
    return this.#writer.pending <= (this.#dropped > 0 ? maxPending / 2 : maxPending);
  }

  /** Adds one line; `line` has no newline. */
  write(line: string): void {
    if (!this.isOpen) return this.drop(1);
    this.#reportDropped();
    this.#add(line);
  }

  /** Adds a line that stands for several others, even while lines are dropped. */
  writeReport(line: string, lines: number): void {
    if (this.#outage) this.drop(lines);
    else this.#add(line, lines);
  }

  /** Counts lines that were not formatted because it is not open. */
  drop(lines: number): void {
    if (this.#outage) this.#outage.lines += lines;
    else this.#dropped += lines;
  }

  /** Writes the gathered lines now. */
  flush(): void {
    this.#writer.flush();
  }

  /** Writes the rest. Resolves after at most `timeoutMs`, because a stopped terminal may never accept it. */
  async close(timeoutMs: number): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#outage) this.#resume(this.#outage);
    this.#reportDropped();
    await this.#writer.end(timeoutMs);
    clearTimeout(this.#retry);
  }

  #add(line: string, lines = 1): void {
    if (this.#writer.pending === 0) this.#reports = [];
    this.#written++;
    if (lines > 1 && this.#reports.length < maxReports) this.#reports.push({ number: this.#written, lines });
    this.#writer.write(`${line}\n`);
  }

  #reportDropped(): void {
    const lines = this.#dropped;
    if (lines === 0) return;
    this.#dropped = 0;
    this.writeReport(this.#options.droppedLine({ lines }), lines);
  }

  #open(): Writer {
    this.#written = 0;
    this.#reports = [];
    const writer: Writer = new Writer(this.#sink.open, {
      gatherMs,
      written: () => {
        // Reported here as well, because there may be no further line for hours.
        if (this.#dropped > 0 && writer === this.#writer && this.isOpen) this.#reportDropped();
      },
      failed: (error, unwritten) => this.#fail(error, unwritten),
    });
    return writer;
  }

  #fail(error: NodeJS.ErrnoException, unwritten: Unwritten | undefined): void {
    const before = this.#outage;
    if (unwritten?.lastWritten !== undefined) this.#isInside = unwritten.lastWritten !== newline;
    const { rest, lines } = lossOf(unwritten, this.#isInside);
    const firstLost = this.#written - lines;
    const more = this.#reports.filter(({ number }) => number > firstLost).reduce((sum, one) => sum + one.lines - 1, 0);
    const outage = { error, rest, lines: lines + more + this.#dropped + (before?.lines ?? 0) };
    this.#outage = outage;
    this.#dropped = 0;
    if (this.#sink.isReopenable) {
      this.#retry = setTimeout(() => this.#resume(outage), this.#options.retryMs ?? retryMs).unref();
    }
    if (!before) this.#options.failed?.(error);
  }

  /** Completes the line that was cut off, and reports what is missing. If that fails, the outage continues. */
  #resume(outage: Outage): void {
    if (!this.#sink.isReopenable) return;
    const { error, rest, lines } = outage;
    this.#writer = this.#open();
    if (rest.length > 0) this.#writer.write(rest);
    if (lines > 0 && this.#isHealthy) {
      // From here on the report stands for these lines: if it cannot be written, `#fail` counts them again.
      outage.lines = 0;
      this.#add(this.#options.droppedLine({ lines, error }), lines);
    }
    this.#writer.flush();
    if (!this.#isHealthy) return;
    this.#outage = undefined;
    this.#options.resumed?.(lines);
  }

  get #isHealthy(): boolean {
    return this.#writer.error === undefined;
  }
}

/** The rest of a line whose beginning was written, and the number of lines of which nothing was. */
function lossOf(
  unwritten: Unwritten | undefined,
  isInside: boolean,
): { readonly rest: Buffer; readonly lines: number } {
  const bytes = Buffer.concat(unwritten?.bytes ?? []);
  const end = isInside ? bytes.indexOf(newline) + 1 : 0;
  let lines = 0;
  for (let at = bytes.indexOf(newline, end); at !== -1; at = bytes.indexOf(newline, at + 1)) lines++;
  return { rest: bytes.subarray(0, end), lines };
}

const newline = 0x0a;
