/**
 * `yodel connect` in a pipe: bytes pass unchanged in both directions, and the exit status says whether every message was
 * answered. Replies are escaped only when stdout is a terminal.
 *
 * Messages are counted while they pass, so that an error can say how many were answered. No byte waits for the end of its
 * message, so this uses the transport's connection directly instead of a MessageConnection.
 */
import { type ErrorCode, systemError, YodelError } from '../../errors.ts';
import type { Connection, Receiver } from '../../transport/transport.ts';
import { exitStatus, report } from '../fail.ts';
import { dialFor } from './handshake.ts';
import { MessageCounter } from './message-counter.ts';
import { highWaterMark, ReplyOutput } from './reply-output.ts';
import type { ConnectSettings } from './settings.ts';

/** When the server ends first: how long to wait for more input, or its end, in milliseconds. */
const inputGraceMs = 200;

/** Connects stdin and stdout to a server. Resolves with the exit status. */
export async function pipe(settings: ConnectSettings): Promise<number> {
  return await new Pipe(settings, await dialFor(settings)).run();
}

class Pipe implements Receiver {
  readonly #settings: ConnectSettings;
  readonly #connection: Connection;
  readonly #output = new ReplyOutput({
    written: () => this.#printed(),
    failed: (status) => this.#abort(status),
  });
  readonly #sent: MessageCounter;
  readonly #received: MessageCounter;
  /** Messages received before anything was sent: they are not replies. */
  #greetings = 0;
  /** Bytes of input passed to the connection. */
  #bytesWritten = 0;
  #bytesReceived = 0;
  #inputEnded = false;
  #serverEnded = false;
  #silenceTimer: NodeJS.Timeout | undefined;
  /** The exit status, once it is known. */
  #status: number | undefined;
  readonly #done = Promise.withResolvers<number>();

  constructor(settings: ConnectSettings, connection: Connection) {
    this.#settings = settings;
    this.#connection = connection;
    const { framing, replyFraming, createState } = settings.protocol;
    const state = createState?.();
    this.#sent = new MessageCounter(framing, settings.count, state);
    this.#received = new MessageCounter(replyFraming, undefined, state);
  }

  run(): Promise<number> {
    process.on('SIGINT', () => this.#interrupted(130));
    process.on('SIGTERM', () => this.#interrupted(143));
    this.#connection.start(this);
    process.stdin
      .on('data', (chunk: Buffer) => this.#send(chunk))
      .on('end', () => this.#endInput())
      .on('error', (error) => this.#fail(systemError('cannot read the input', error)));
    return this.#done.promise;
  }

  #send(chunk: Buffer): void {
    if (this.#inputEnded) return;
    if (this.#bytesWritten === 0) this.#greetings = this.#received.count;
    const bytes = this.#upToCount(chunk);
    this.#bytesWritten += bytes.length;
    this.#connection.write(bytes);
    if (this.#sent.count >= this.#settings.count) this.#endInput();
    else if (this.#connection.unsent > highWaterMark) process.stdin.pause();
  }

  /** The bytes up to message number --count; none when its end cannot be found. */
  #upToCount(chunk: Uint8Array): Uint8Array {
    try {
      return this.#sent.add(chunk);
    } catch (error) {
      this.#fail(error);
      return chunk.subarray(0, 0);
    }
  }

  #endInput(): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    this.#sent.end();
    // A terminal, or a pipe that stays open, would keep the process alive.
    process.stdin.destroy();
    if (this.#settings.shutdown) this.#connection.end();
    this.#awaitServer();
  }

  onData(chunk: Uint8Array): void {
    this.#bytesReceived += chunk.length;
    this.#received.add(chunk);
    // A borrowed chunk is copied, because stdout may take it later.
    this.#output.write(this.#connection.chunksAreBorrowed ? Buffer.from(chunk) : chunk);
    if (this.#output.isFull) this.#connection.pause();
    if (this.#inputEnded) this.#awaitServer();
  }

  #printed(): void {
    if (this.#output.isLow) this.#connection.resume();
    this.#finishWhenPrinted();
  }

  onDrain(): void {
    if (this.#connection.unsent <= highWaterMark / 2 && !this.#inputEnded) process.stdin.resume();
    if (this.#inputEnded) this.#awaitServer();
  }

  onEnd(): void {
    this.#serverEnded = true;
    this.#received.end();
    if (this.#inputEnded && this.#connection.unsent === 0) return this.#connection.end();
    // The server may still accept input, and the end of input may have arrived without having been read.
    process.stdin.resume();
    this.#awaitInput(-1);
  }

  /** After the server's end: input is sent while the server accepts it, but yodel does not wait for more of it. */
  #awaitInput(acceptedBefore: number): void {
    const accepted = this.#bytesWritten - this.#connection.unsent;
    if (accepted > acceptedBefore) {
      setTimeout(() => this.#awaitInput(accepted), inputGraceMs);
    } else if (this.#status === undefined && (!this.#inputEnded || this.#connection.unsent > 0)) {
      this.#fail(this.#error('YODEL_CONNECTION_CLOSED', 'ended the connection before the end of input'));
    }
  }

  onClose(error?: Error): void {
    clearTimeout(this.#silenceTimer);
    process.stdin.destroy();
    this.#output.end();
    const allAnswered = this.#serverEnded && this.#allAnswered;
    if (this.#status === undefined && error && !allAnswered) {
      const broken = systemError(`the connection to ${this.#settings.address} broke`, error);
      report(new YodelError(broken.code, `${broken.message}; ${this.#counts()}`));
      this.#end(exitStatus.failure);
    }
    if (this.#status === undefined) this.#finishByReplies();
    this.#finishWhenPrinted();
  }

  /** A server may answer nothing at all, as `discard` does; one that answers only some messages has lost the others. */
  #finishByReplies(): void {
    const isShort = this.#replies > 0 && !this.#allAnswered;
    if (isShort) report(this.#error('YODEL_CONNECTION_CLOSED', 'ended the connection'));
    this.#end(isShort ? exitStatus.failure : exitStatus.good);
  }

  /** After the end of input: disconnects when the server is silent for --wait. Called again whenever something is received. */
  #awaitServer(): void {
    clearTimeout(this.#silenceTimer);
    const { waitMs } = this.#settings;
    if (waitMs === 0) return;
    this.#silenceTimer = setTimeout(() => {
      // While its replies cannot be printed the server is not read, which does not count as silence.
      if (!this.#output.isEmpty) return this.#awaitServer();
      if (!this.#allAnswered) {
        report(this.#error('YODEL_REQUEST_TIMEOUT', `was silent for ${waitMs} ms`, ' (see --wait)'));
      }
      this.#end(this.#allAnswered ? exitStatus.good : exitStatus.timeout);
      this.#connection.end();
      this.#connection.release();
    }, waitMs);
  }

  #interrupted(status: number): void {
    this.#abort(status);
    process.exit(status);
  }

  #fail(error: unknown): void {
    report(error);
    this.#abort(exitStatus.failure);
  }

  #abort(status: number): void {
    this.#end(status);
    this.#connection.abort();
  }

  #end(status: number): void {
    this.#status ??= status;
    clearTimeout(this.#silenceTimer);
  }

  #finishWhenPrinted(): void {
    if (this.#status !== undefined && this.#output.isEmpty) this.#done.resolve(this.#status);
  }

  /** An error that names the server and says how much was answered. */
  #error(code: ErrorCode, what: string, hint = ''): YodelError {
    return new YodelError(code, `${this.#settings.address} ${what}; ${this.#counts()}${hint}`);
  }

  get #replies(): number {
    const greetings = Math.max(this.#greetings, this.#settings.protocol.greeting ?? 0);
    return Math.max(0, this.#received.count - greetings);
  }

  /** With the framing `raw`, chunks are not messages: any reply answers everything. */
  get #allAnswered(): boolean {
    return this.#isRaw ? this.#replies > 0 || this.#sent.count === 0 : this.#replies >= this.#sent.count;
  }

  get #isRaw(): boolean {
    return this.#settings.protocol.replyFraming.name === 'raw';
  }

  #counts(): string {
    const unsent = this.#connection.unsent > 0 ? `, ${this.#connection.unsent} bytes of input were not sent` : '';
    if (this.#isRaw) return `${this.#bytesReceived} bytes were received${unsent}`;
    return `${this.#replies} of ${this.#sent.started} messages were answered${unsent}`;
  }
}
