/** A process that runs a program of our own and exchanges messages with it: the workers of a server or of a load test. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { eachLine } from './each-line.ts';

/** How a process ended. */
export interface ProcessEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What to run, and who receives what it sends and prints. */
export interface ProgramOptions<Received> {
  /** The program, as `programArgument` returns it. */
  readonly program: string;
  readonly args?: readonly string[];
  /** Descriptors of this process that it inherits, from {@link firstInherited} on. */
  readonly descriptors?: readonly number[];
  /** Receives each line that it prints, without the newline. Default: stdout is discarded, stderr is this process's own. */
  readonly onLine?: (stream: 'stdout' | 'stderr', line: string) => void;
  /** Receives each message that it sends. */
  readonly onMessage: (message: Received) => void;
  /** Receives what goes wrong with it from outside: it cannot be started, or not be killed. */
  readonly onError: (error: Error) => void;
}

/** The first inherited descriptor in the child: after stdin, stdout, stderr and the channel to its parent. */
export const firstInherited = 4;

/** A longer line is split: the program may print anything. */
const maxLineLength = 1_048_576;
/** The last lines may arrive after the process exited. A child of its own that keeps its stdout open would never end them. */
const lastLinesMs = 500;

/** Started by the constructor. `Sent` and `Received` are plain data: they are sent as JSON. */
export class ProgramProcess<Sent extends object, Received> {
  /** Resolves when it has ended, or could not be started: then with status 1. Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;

  constructor({ program, args = [], descriptors = [], onLine, onMessage, onError }: ProgramOptions<Received>) {
    const output = onLine ? (['pipe', 'pipe'] as const) : (['ignore', 'inherit'] as const);
    const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
      stdio: ['ignore', ...output, 'ipc', ...descriptors],
    });
    this.#child = child;
    if (onLine) {
      for (const stream of ['stdout', 'stderr'] as const) {
        if (child[stream]) eachLine(child[stream], (line) => onLine(stream, line), maxLineLength);
      }
    }
    child.on('message', (message) => onMessage(message as Received));
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => {
        onError(error);
        // Without a pid it was never started, and no other event follows.
        if (child.pid === undefined) resolve({ status: 1, signal: null });
      });
      child.on('exit', (status, signal) => setTimeout(() => resolve({ status, signal }), lastLinesMs).unref());
      child.on('close', (status, signal) => resolve({ status, signal: signal as NodeJS.Signals | null }));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it can be sent messages. */
  get isConnected(): boolean {
    return this.#child.connected;
  }

  /** Sends a message. It is lost when the process has ended; `ended` reports that. */
  send(message: Sent): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Sends a message with a socket. This process keeps its own end open. @param failed called when it was not sent */
  sendSocket(message: Sent, socket: Socket, failed: () => void): void {
    this.#child.send(message, socket, { keepOpen: true }, (error) => {
      if (error) failed();
    });
  }

  /** Closes the channel. A program of our own exits then. */
  disconnect(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  /** Kills it at once. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** `status 1`, `SIGKILL`. */
export function describeEnd({ status, signal }: ProcessEnd): string {
  return signal === null ? `status ${status}` : signal;
}
