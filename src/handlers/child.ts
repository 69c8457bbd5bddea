/** A child process with pipes, in a process group of its own: what goes in waits for it, and what comes out for us. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { ProcessGroup } from './process-group.ts';

/** What to start, and how to end it. */
export interface ChildOptions {
  readonly words: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** How long it may take to end when it is told to. */
  readonly graceMs: number;
  /** Takes a line of its stderr, without the newline. */
  readonly stderr: (line: string) => void;
}

/** How it ended. */
export type ChildEnd =
  | { readonly error: Error }
  | { readonly status: number | null; readonly signal: NodeJS.Signals | null };

/** A longer line of stderr is told in pieces. */
const longestLine = 8192;
/** For what is in a pipe when its writer is gone, that is long. */
const lastOutputMs = 200;

/** Started by the constructor. */
export class Child {
  /** Resolves when it has ended, or could not be started; its output may still be read. Never rejects. */
  readonly exited: Promise<ChildEnd>;
  readonly #process: ChildProcess | undefined;
  readonly #group: ProcessGroup | undefined;
  readonly #graceMs: number;
  /** How many pieces of output there were, and whether the last one is still being dealt with. */
  #pieces = 0;
  #isBusy = false;
  #isFull = false;
  #ending: Promise<void> | undefined;

  constructor({ words: [file, ...args], env, graceMs, stderr }: ChildOptions) {
    this.#graceMs = graceMs;
    try {
      this.#process = spawn(file, args, { env: { ...env }, stdio: 'pipe', detached: true });
    } catch (error) {
      // No memory or no descriptors for it (EAGAIN, EMFILE), or an argument that cannot be one.
      this.exited = Promise.resolve({ error: error as Error });
      return;
    }
    const child = this.#process;
    this.#group = child.pid === undefined ? undefined : new ProcessGroup(child.pid);
    this.exited = new Promise((resolve) => {
      child.on('error', (error) => resolve({ error }));
      child.on('exit', (status, signal) => {
        // What it has left behind in its group goes with it.
        this.end();
        resolve({ status, signal });
      });
    });
    // It need not read what it is given: EPIPE is its right.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.on('error', () => undefined);
    if (child.stderr) eachLine(child.stderr, stderr);
  }

  /** Whether it has not taken all that it was given. Bun's stream tells only when it is full, and not how much it holds. */
  get hasInput(): boolean {
    return this.#isFull || (this.#process?.stdin?.writableLength ?? 0) > 0;
  }

  /** Gives it bytes. They must not change. The promise, if there is one, is for when it has read enough to be given more. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    const stdin = this.#process?.stdin;
    if (!stdin?.writable || stdin.write(bytes)) return undefined;
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

  /** Nothing more will be given to it. */
  endInput(): void {
    this.#process?.stdin?.end();
  }

  /** Its output, as it comes: the next piece is read when the one before is done with. */
  async *output(): AsyncGenerator<Buffer, void> {
    const stdout = this.#process?.stdout;
    if (!stdout || this.#process?.pid === undefined) return;
    try {
      for await (const chunk of stdout) {
        this.#pieces++;
        this.#isBusy = true;
        yield chunk as Buffer;
        this.#isBusy = false;
      }
    } catch (error) {
      // It was ended in the middle.
      if (!stdout.destroyed) throw error;
    }
  }

  /** Ends it and all it has started: SIGTERM, and after the grace SIGKILL. What it has printed can still be read. */
  end(): void {
    this.#ending ??= this.#end();
  }

  /** Ends it, and takes nothing more from it. */
  drop(): void {
    this.#process?.stdout?.destroy();
    this.end();
  }

  async #end(): Promise<void> {
    this.#process?.stdin?.destroy();
    await this.#group?.end(this.#graceMs);
    const stdout = this.#process?.stdout;
    // Who has left the group may hold the pipes for ever: so they are let go of when nothing more comes out of them.
    for (let seen = -1; stdout && !stdout.closed && (this.#isBusy || this.#pieces !== seen); ) {
      seen = this.#pieces;
      await pause(lastOutputMs);
    }
    stdout?.destroy();
    this.#process?.stderr?.destroy();
  }
}

function eachLine(stream: Readable, take: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
    for (; rest.length > longestLine; rest = rest.slice(longestLine)) take(rest.slice(0, longestLine));
  });
  stream.on('close', () => {
    if (rest !== '') take(rest);
  });
}
