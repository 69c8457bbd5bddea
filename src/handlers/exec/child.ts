/** A child process with pipes, in its own process group, with back-pressure in both directions. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeWhenSilent } from '../../process/last-output.ts';
import { LinesInTurns } from '../../process/lines-in-turns.ts';
import { ProcessGroup } from '../../process/process-group.ts';
import { startQueue } from '../../process/start-queue.ts';

/** The command to start, and how to end it. */
export interface ChildOptions {
  readonly words: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** The time to end after SIGTERM, before it is killed. */
  readonly graceMs: number;
  /** The host of the client that it is for: clients take turns to have children started. */
  readonly client: string;
  /** Receives a line of its stderr, without the newline. */
  readonly stderr: (line: string) => void;
  /** Called when it has taken some of its input, or printed on stderr: what is pending has changed. */
  readonly changed?: (() => void) | undefined;
}

/** How it ended. */
export type ChildEnd =
  | { readonly error: Error }
  | { readonly status: number | null; readonly signal: NodeJS.Signals | null };

/** Longer lines of stderr are split. */
const maxLineLength = 8192;

/** More input for a child that is not started yet is awaited, as that for one that does not read. */
const maxEarlyInput = 65_536;

/** The constructor starts the process, or has it started when it is its turn ({@link startQueue}). */
export class Child {
  /** Resolves when it is started, could not be, or will not be because it was ended first. */
  readonly started: Promise<void>;
  /** Resolves when it has exited or could not be started; its output can still be read. Never rejects. */
  readonly exited: Promise<ChildEnd>;
  readonly #hasStarted = Promise.withResolvers<void>();
  readonly #hasExited = Promise.withResolvers<ChildEnd>();
  readonly #cancelStart: () => boolean;
  #process: ChildProcess | undefined;
  #group: ProcessGroup | undefined;
  readonly #graceMs: number;
  readonly #changed: (() => void) | undefined;
  #errors: LinesInTurns | undefined;
  /** What was written before it was started. Undefined: it is started. */
  #early: Uint8Array[] | undefined = [];
  #isInputEnded = false;
  #pendingInput = 0;
  /** The number of chunks of output so far, and whether the last one is still being processed. */
  #chunks = 0;
  #isBusy = false;
  #isFull = false;
  #ending: Promise<void> | undefined;

  constructor(options: ChildOptions) {
    this.#graceMs = options.graceMs;
    this.#changed = options.changed;
    this.started = this.#hasStarted.promise;
    this.exited = this.#hasExited.promise;
    this.#cancelStart = startQueue.add(options.client, () => this.#start(options));
  }

  #start({ words: [file, ...args], env, stderr }: ChildOptions): void {
    this.#hasStarted.resolve();
    try {
      this.#process = spawn(file, args, { env: { ...env }, stdio: 'pipe', detached: true });
    } catch (error) {
      // No memory or descriptors for it (EAGAIN, EMFILE), or an invalid argument.
      this.#early = undefined;
      this.#hasExited.resolve({ error: error as Error });
      return;
    }
    const child = this.#process;
    this.#group = child.pid === undefined ? undefined : new ProcessGroup(child.pid);
    child.on('error', (error) => this.#hasExited.resolve({ error }));
    child.on('exit', (status, signal) => {
      // Processes that it left in its group end with it.
      this.end();
      this.#hasExited.resolve({ status, signal });
    });
    // The child need not read its input, so EPIPE is not an error.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.on('error', () => undefined);
    const lines = { take: stderr, maxLength: maxLineLength, changed: this.#changed };
    if (child.stderr) this.#errors = new LinesInTurns(child.stderr, lines);
    this.#writeEarly();
  }

  #writeEarly(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    this.#pendingInput = 0;
    for (const bytes of early) void this.write(bytes);
    if (this.#isInputEnded) this.endInput();
  }

  /** Whether it is started and has not read all of its input. Bun's stream reports only whether it is full, not how much it buffers. */
  get hasInput(): boolean {
    return this.#isFull || (this.#process?.stdin?.writableLength ?? 0) > 0;
  }

  /** Bytes written to its stdin that it has not taken: a write is kept until all of it is taken. */
  get pendingInput(): number {
    return this.#pendingInput;
  }

  /** Bytes of its output that were read, and are neither returned nor dropped yet; also of what it prints on stderr. */
  get pendingOutput(): number {
    return (this.#process?.stdout?.readableLength ?? 0) + (this.#errors?.pending ?? 0);
  }

  /** Writes bytes to its stdin. They must not change. The promise, if any, resolves when the child can take more. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#early) {
      this.#early.push(bytes);
      this.#pendingInput += bytes.length;
      return this.#pendingInput > maxEarlyInput ? this.started : undefined;
    }
    const stdin = this.#process?.stdin;
    if (!stdin?.writable) return undefined;
    this.#pendingInput += bytes.length;
    const isTaken = stdin.write(bytes, () => {
      this.#pendingInput -= bytes.length;
      this.#changed?.();
    });
    if (isTaken) return undefined;
    this.#isFull = true;
    return new Promise((resolve) => {
      const done = () => {
        this.#isFull = false;
        stdin.off('drain', done).off('close', done);
        resolve();
      };
      stdin.on('drain', done).on('close', done);
    });
  }

  /** Closes its stdin. */
  endInput(): void {
    this.#isInputEnded = true;
    this.#process?.stdin?.end();
  }

  /** Its output as it arrives. The next chunk is read once the previous one has been processed. */
  async *output(): AsyncGenerator<Buffer, void> {
    await this.started;
    const stdout = this.#process?.stdout;
    if (!stdout || this.#process?.pid === undefined) return;
    try {
      for await (const chunk of stdout) {
        this.#chunks++;
        this.#isBusy = true;
        yield chunk as Buffer;
        this.#isBusy = false;
      }
    } catch (error) {
      // `drop` destroyed the stream.
      if (!stdout.destroyed) throw error;
    }
  }

  /**
   * Ends it and everything that it started, with SIGTERM, then SIGKILL. What it has printed can still be read. Resolves when
   * nothing of it is left: its last line on stderr is taken, and its pipes are closed.
   */
  async end(): Promise<void> {
    if (this.#cancelStart()) this.#neverStarted();
    this.#ending ??= this.#end();
    // A program of another user cannot be killed, and ends when it likes.
    await Promise.all([this.#ending, this.exited]);
  }

  #neverStarted(): void {
    this.#early = undefined;
    this.#pendingInput = 0;
    this.#hasExited.resolve({ status: null, signal: 'SIGTERM' });
    this.#hasStarted.resolve();
  }

  /** Ends it, and discards its output. */
  drop(): Promise<void> {
    this.#process?.stdout?.destroy();
    return this.end();
  }

  async #end(): Promise<void> {
    this.#process?.stdin?.destroy();
    await this.#group?.end(this.#graceMs);
    // A process that left the group may keep the pipes open.
    const stdout = this.#process?.stdout;
    const delivered = () => (this.#isBusy ? undefined : this.#chunks);
    await Promise.all([stdout && closeWhenSilent(stdout, delivered), this.#errors?.finish()]);
  }
}
