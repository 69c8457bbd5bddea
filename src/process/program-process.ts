/** A child process that runs one of yodel's own programs and exchanges messages with it, such as a server's worker. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { eachLine } from './each-line.ts';

/** How a process ended. */
export interface ProcessEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The program to run, and the receivers of its messages and output. */
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
  /** Receives errors of starting or killing the process. */
  readonly onError: (error: Error) => void;
}

/** The first inherited descriptor in the child: after stdin, stdout, stderr and the channel to its parent. */
export const firstInherited = 4;

/**
 * Longer lines are split, because the program may print anything. Lines of our own logs are far below, whatever a peer sends; a
 * user's handler may print a message of any size.
 */
const maxLineLength = 67_108_864;
/** The last lines may arrive after the process exited. A child of the process that keeps stdout open would delay the end forever. */
const lastLinesMs = 500;

/** Started by the constructor. `Sent` and `Received` are plain data: they are sent as JSON. */
export class ProgramProcess<Sent extends object, Received> {
  /** Resolves when the process has ended. With status 1 if it could not be started. Never rejects. */
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

  /** Whether the channel to the process is open. */
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

  /** Closes the channel, at which yodel's own programs exit. */
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
