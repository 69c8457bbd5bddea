/**
 * Connections to programs: a child process whose stdin and stdout are the connection. Uses `node:child_process` on both
 * runtimes.
 *
 * | Event                        | Then                                                                                   |
 * |------------------------------|----------------------------------------------------------------------------------------|
 * | `end`                        | its stdin is closed after everything that was written                                  |
 * | it closes its stdout         | `onEnd`, when it has exited too, or after `endMs`                                      |
 * | both, and it exits           | `onClose`                                                                              |
 * | it fails                     | `onClose` with an error: its status is not 0, or it did not read its input             |
 * | both, and it does not exit   | it is ended after `exitMs`                                                             |
 * | it exits                     | what it started in its process group is ended; output that is left is still delivered  |
 * | `release`                    | its stdin is closed; it is ended if it does not exit within `exitMs`                   |
 * | `abort`                      | it is ended at once                                                                    |
 *
 * To end a child is to end its process group: SIGTERM, and SIGKILL for what is left after {@link defaultGraceMs}.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Address, ExecAddress } from '../address.ts';
import { realClock, type Timer } from '../clock.ts';
import { YodelError } from '../errors.ts';
import { commandWords, needsShell } from '../process/command-words.ts';
import { eachLine } from '../process/each-line.ts';
import { closeWhenSilent } from '../process/last-output.ts';
import { LinesInTurns } from '../process/lines-in-turns.ts';
import { defaultGraceMs, ProcessGroup } from '../process/process-group.ts';
import { startQueue } from '../process/start-queue.ts';
import { Queue } from '../queue.ts';
import type { Connection, DialOptions, Handshake, Receiver } from './transport.ts';

/** How long a child may take to exit by itself after its input and output have ended. */
const exitMs = 500;
/**
 * How long its end waits for its exit, so that a program that failed is not taken for one that ended in order. A busy machine may let
 * other programs run between the two.
 */
const endMs = 1000;
/** Progress is known when a whole write has completed, so this is its resolution. */
const largestWrite = 65_536;
/** The end of the child's stderr, for the error of a child that failed. */
const keptLines = 5;
const maxLineLength = 1000;

/**
 * Starts a command. It has the environment of this process, and its own process group.
 *
 * @throws YodelError `YODEL_COMMAND_FAILED` when it cannot be started; `YODEL_INVALID_OPTION` for a quote that is not closed
 */
export async function connectExec(
  address: ExecAddress,
  { signal, stderr, client, starting }: DialOptions = {},
): Promise<Connection> {
  const { command } = address;
  const [file, ...args] = needsShell(command) ? ['/bin/sh', '-c', command] : commandWords(command);
  signal?.throwIfAborted();
  const startedAt = performance.now();
  const start = () => {
    starting?.();
    return open(file, args, { address, stderr, takesTurns: client !== undefined });
  };
  const connection = await (client === undefined ? start() : startedFor(client, start, signal));
  const connectMs = performance.now() - startedAt;
  connection.handshake = { local: address, remote: address, resolved: undefined, lookupMs: undefined, connectMs };
  if (!signal?.aborted) return connection;
  connection.abort();
  throw signal.reason;
}

/** Starts the command when it is called, and resolves when it runs. */
async function open(file: string, args: readonly string[], options: ExecConnectionOptions): Promise<ExecConnection> {
  const child = spawn(file, args, { stdio: 'pipe', detached: true });
  const connection = new ExecConnection(child, options);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === 'ENOENT' ? 'there is no such program' : cause.message;
      reject(new YodelError('YODEL_COMMAND_FAILED', `cannot start the command ${file}: ${reason}`, { cause }));
    });
  });
  return connection;
}

/** Calls `start` when it is this client's turn. @throws the signal's reason if it is aborted before */
function startedFor<Started>(
  client: string,
  start: () => Promise<Started>,
  signal: AbortSignal | undefined,
): Promise<Started> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      if (cancel()) reject(signal?.reason);
    };
    const cancel = startQueue.add(client, () => {
      signal?.removeEventListener('abort', aborted);
      resolve(start());
    });
    signal?.addEventListener('abort', aborted, { once: true });
  });
}

interface ExecConnectionOptions {
  readonly address: ExecAddress;
  readonly stderr: DialOptions['stderr'];
  /** Whether other children are served by this process: none delays them by what it prints on stderr. */
  readonly takesTurns: boolean;
}

/** How a child ended. */
interface Exit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

class ExecConnection implements Connection {
  readonly local: Address;
  readonly peer: Address;
  readonly chunksAreBorrowed = false;
  handshake: Handshake | undefined;
  readonly #address: ExecAddress;
  readonly #child: ChildProcess;
  readonly #group: ProcessGroup | undefined;
  /** Its last lines on stderr, unless they are passed on. */
  readonly #lines: string[] = [];
  /** Reads its stderr, if it takes turns. */
  readonly #errors: LinesInTurns | undefined;
  readonly #queue = new Queue<Uint8Array>();
  /** Bytes that wait, those in flight included. */
  #unsent = 0;
  #inFlight = 0;
  /** Where the write at the front of the queue continues. */
  #rest: Uint8Array | undefined;
  #receiver: Receiver | undefined;
  #isPaused = false;
  #chunks = 0;
  #isEnding = false;
  #inputEnded = false;
  #outputEnded = false;
  #endReported = false;
  /** After `release` or `abort`: only `onClose` may still be called. */
  #isReleased = false;
  #isClosed = false;
  /** This process ended it, so how it ended is no error. */
  #wasEnded = false;
  #exit: Exit | undefined;
  readonly #hasExited = Promise.withResolvers<void>();
  /** It has exited, and all its output was read. */
  #allClosed = false;
  #endTimer: Timer | undefined;
  #exitTimer: Timer | undefined;

  constructor(child: ChildProcess, { address, stderr, takesTurns }: ExecConnectionOptions) {
    this.#child = child;
    this.#address = address;
    this.local = address;
    this.peer = address;
    this.#group = child.pid === undefined ? undefined : new ProcessGroup(child.pid);
    const take = stderr ?? ((line) => this.#keep(line));
    if (child.stderr && takesTurns) this.#errors = new LinesInTurns(child.stderr, { take, maxLength: maxLineLength });
    else if (child.stderr) eachLine(child.stderr, take, maxLineLength, { keepsPartial: true });
    // EPIPE: the child need not read its input. What it did not read is `unsent`.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.on('error', () => undefined);
    child.stdin?.on('close', () => this.#inputClosed());
    // Never started; the caller gets the error.
    child.on('error', () => undefined);
    child.on('exit', (status, signal) => this.#exited({ status, signal }));
    child.on('close', () => void this.#allRead());
  }

  get unsent(): number {
    return this.#unsent;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    const { stdout } = this.#child;
    if (!this.#isReleased) {
      stdout?.on('data', (chunk: Buffer) => this.#received(chunk));
      if (this.#isPaused) stdout?.pause();
    }
    // `end` is not emitted for a stream that was destroyed.
    if (stdout?.closed) queueMicrotask(() => this.#outputClosed());
    else stdout?.on('end', () => this.#outputClosed()).on('close', () => this.#outputClosed());
    if (this.#isClosed) queueMicrotask(() => receiver.onClose());
  }

  write(bytes: Uint8Array): void {
    if (this.#isEnding || this.#isReleased || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#unsent += bytes.length;
    this.#send();
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#receiver) this.#child.stdout?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#receiver && !this.#isReleased) this.#child.stdout?.resume();
  }

  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#send();
    this.#closeWhenDone();
  }

  release(): void {
    this.#child.stdin?.end();
    this.#drop();
    this.#endIfItStays();
  }

  abort(): void {
    this.#drop();
    this.#endChild();
  }

  #keep(line: string): void {
    if (line.trim() === '') return;
    this.#lines.push(line.trim());
    if (this.#lines.length > keptLines) this.#lines.shift();
  }

  #send(): void {
    const { stdin } = this.#child;
    while (this.#inFlight === 0 && stdin) {
      const first = this.#rest ?? this.#queue.shift();
      if (!first) {
        if (this.#isEnding) stdin.end();
        return;
      }
      const piece = first.subarray(0, largestWrite);
      this.#rest = first.length > largestWrite ? first.subarray(largestWrite) : undefined;
      this.#inFlight = piece.length;
      // Bun calls this from inside `write` for what the pipe takes at once.
      let isLater = false;
      stdin.write(piece, (error) => this.#written(error, isLater));
      isLater = true;
    }
  }

  #written(error: Error | null | undefined, isLater: boolean): void {
    if (this.#isReleased) return;
    // The child has closed its stdin or is gone: the rest remains unsent.
    if (error) return this.#closeWhenDone();
    this.#unsent -= this.#inFlight;
    this.#inFlight = 0;
    if (!isLater) return;
    this.#send();
    this.#receiver?.onDrain();
  }

  #received(chunk: Buffer): void {
    this.#chunks++;
    if (!this.#isReleased) this.#receiver?.onData(chunk);
  }

  #outputClosed(): void {
    if (this.#outputEnded) return;
    this.#outputEnded = true;
    if (this.#allClosed) this.#reportEnd();
    else if (!this.#isReleased) this.#endTimer = realClock.deadline(endMs, () => this.#reportEnd());
  }

  #reportEnd(): void {
    if (this.#endReported || !this.#outputEnded || this.#awaitsReason) return;
    this.#endReported = true;
    this.#endTimer?.cancel();
    if (!this.#isReleased && !this.#error()) this.#receiver?.onEnd();
    this.#closeWhenDone();
  }

  #inputClosed(): void {
    this.#inputEnded = true;
    this.#closeWhenDone();
  }

  #exited(exit: Exit): void {
    this.#exit = exit;
    this.#hasExited.resolve();
    this.#exitTimer?.cancel();
    // What it left in its group ends with it, and closes the pipes.
    void this.#group?.end(defaultGraceMs).then(() => this.#closePipes());
    this.#closeWhenDone();
  }

  /** A process that left the group may keep the pipes open: they are closed once they deliver nothing more. */
  async #closePipes(): Promise<void> {
    const { stdout, stderr } = this.#child;
    const delivered = () => (this.#isPaused || !this.#receiver ? undefined : this.#chunks);
    if (stdout) await closeWhenSilent(stdout, delivered);
    await this.#errors?.finish();
    stderr?.destroy();
  }

  /** All of its pipes are closed. */
  async #allRead(): Promise<void> {
    await this.#errors?.finish();
    this.#allClosed = true;
    if (this.#endReported) this.#closeWhenDone();
    else this.#reportEnd();
  }

  /** Whether it has failed, and its last lines on stderr, which say why, wait for their turn. */
  get #awaitsReason(): boolean {
    return this.#errors !== undefined && !this.#allClosed && this.#hasFailed;
  }

  get #hasFailed(): boolean {
    return this.#exit !== undefined && this.#exit.status !== 0 && !this.#wasEnded;
  }

  /** Closes once it has exited and its output was delivered. Until then it has `exitMs` to exit by itself. */
  #closeWhenDone(): void {
    if (this.#isClosed || !this.#endReported || this.#awaitsReason) return;
    if (!this.#exit) {
      if (this.#inputEnded) this.#endIfItStays();
      return;
    }
    const error = this.#error();
    // As on a network, this side's end is awaited, unless the connection is broken.
    if (!error && !this.#isEnding) return;
    this.#close(error);
  }

  #close(error?: Error): void {
    this.#isClosed = true;
    this.#endTimer?.cancel();
    this.#exitTimer?.cancel();
    queueMicrotask(() => this.#receiver?.onClose(error));
  }

  /** What is wrong with how it ended. */
  #error(): YodelError | undefined {
    if (!this.#exit) return undefined;
    const { status, signal } = this.#exit;
    const command = `the command ${this.#address.command}`;
    if (this.#hasFailed) {
      const how = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
      const said = this.#lines.length > 0 ? `; on stderr: ${this.#lines.join(' | ')}` : '';
      return new YodelError('YODEL_COMMAND_FAILED', `${command} ${how}${said}`);
    }
    if (this.#unsent === 0) return undefined;
    return new YodelError('YODEL_COMMAND_FAILED', `${command} did not read all of its input`);
  }

  #endIfItStays(): void {
    if (this.#exit) return;
    this.#exitTimer ??= realClock.deadline(exitMs, () => this.#endChild());
  }

  #endChild(): void {
    this.#wasEnded = true;
    this.#child.stdin?.destroy();
    void this.#group?.end(defaultGraceMs);
  }

  async gone(): Promise<void> {
    if (!this.#group) return;
    await this.#hasExited.promise;
    await this.#group.end(defaultGraceMs);
    await this.#errors?.finish();
  }

  /** Only `onClose` follows. The child may still run for a moment; its process group is ended in any case. */
  #drop(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#isEnding = true;
    this.#wasEnded = true;
    this.#unsent = 0;
    this.#rest = undefined;
    this.#queue.takeAll();
    this.#child.stdout?.destroy();
    if (!this.#isClosed) this.#close();
  }
}
