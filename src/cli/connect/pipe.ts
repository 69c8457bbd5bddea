/**
 * `yodel connect` in a pipe: bytes go both ways untouched, and the exit status tells the truth. Only a terminal at the end of
 * the pipe is not given what could steer it.
 *
 * What is counted are messages, so that it can be said how many were answered; the bytes do not wait for that.
 */

import { dial } from '../../client/dial.ts';
import { systemError, YodelError } from '../../errors.ts';
import { type Decoder, decodeChunk, type Framing } from '../../framing/framing.ts';
import type { Connection, Receiver } from '../../transport/transport.ts';
import { exitStatus, report } from '../fail.ts';
import { highWaterMark, Output } from '../output.ts';
import type { ConnectSettings } from './settings.ts';

/** A message longer than this is counted without being held … */
const longestCounted = 16_777_216;
/** … but where the input is to end behind a message, its end must be known. */
const longestHeld = 1_073_741_824;
/** When the server ends first: how long more input, or its end, may be on its way. */
const inputGraceMs = 200;

/** Connects stdin and stdout to a server. Resolves with the exit status. */
export async function pipe(settings: ConnectSettings): Promise<number> {
  const { address, connectTimeoutMs, tls } = settings;
  const connection = await dial(address, { timeoutMs: connectTimeoutMs, tls });
  return await new Pipe(settings, connection).run();
}

class Pipe implements Receiver {
  readonly #settings: ConnectSettings;
  readonly #connection: Connection;
  readonly #sent: MessageCounter;
  readonly #arrived: MessageCounter;
  /** Messages that had come before anything was sent: they are no replies. */
  #greetings = 0;
  readonly #done = Promise.withResolvers<number>();
  readonly #output = new Output({ taken: () => this.#printed(), failed: (status) => this.#outputFailed(status) });
  #inputEnded = false;
  /** Bytes of input handed to the connection. */
  #written = 0;
  #received = 0;
  #serverEnded = false;
  #silence: NodeJS.Timeout | undefined;
  #status: number | undefined;

  constructor(settings: ConnectSettings, connection: Connection) {
    this.#settings = settings;
    this.#connection = connection;
    this.#sent = new MessageCounter(settings.framing, settings.count);
    this.#arrived = new MessageCounter(settings.framing);
  }

  run(): Promise<number> {
    process.on('SIGINT', () => this.#interrupted(130));
    process.on('SIGTERM', () => this.#interrupted(143));
    this.#connection.start(this);
    process.stdin
      .on('data', (chunk: Buffer) => this.#send(chunk))
      .on('end', () => this.#endInput())
      .on('error', (error) => this.#inputFailed(systemError('cannot read the input', error)));
    return this.#done.promise;
  }

  #send(chunk: Buffer): void {
    if (this.#inputEnded) return;
    if (this.#written === 0) this.#greetings = this.#arrived.count;
    const bytes = this.#upToCount(chunk);
    this.#written += bytes.length;
    this.#connection.write(bytes);
    if (this.#sent.count >= this.#settings.count) this.#endInput();
    else if (this.#connection.unsent > highWaterMark) process.stdin.pause();
  }

  /** What is to be sent of the input: nothing once it cannot be told where its last message ends. */
  #upToCount(chunk: Uint8Array): Uint8Array {
    try {
      return this.#sent.addUpTo(chunk);
    } catch (error) {
      this.#inputFailed(error);
      return chunk.subarray(0, 0);
    }
  }

  #inputFailed(error: unknown): void {
    report(error);
    this.#end(exitStatus.failure);
    this.#connection.abort();
  }

  #endInput(): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    this.#sent.end();
    // A terminal or a pipe that nobody closes would keep the process alive.
    process.stdin.destroy();
    if (this.#settings.shutdown) this.#connection.end();
    this.#awaitServer();
  }

  onData(chunk: Uint8Array): void {
    this.#received += chunk.length;
    this.#arrived.add(chunk);
    // A borrowed chunk must be copied: stdout may hold it for long.
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
    this.#arrived.end();
    if (this.#inputEnded && this.#connection.unsent === 0) return this.#connection.end();
    // It may still take what is sent, and the end of input may be there already and not be read yet.
    process.stdin.resume();
    this.#awaitInput(-1);
  }

  /** After the server's end: as long as it takes input it may have it, but nobody waits for input that does not come. */
  #awaitInput(takenBefore: number): void {
    const taken = this.#written - this.#connection.unsent;
    if (taken > takenBefore) {
      setTimeout(() => this.#awaitInput(taken), inputGraceMs);
    } else if (this.#status === undefined && (!this.#inputEnded || this.#connection.unsent > 0)) {
      report(this.#endedEarly());
      this.#end(exitStatus.failure);
      this.#connection.abort();
    }
  }

  onClose(error?: Error): void {
    clearTimeout(this.#silence);
    process.stdin.destroy();
    this.#output.end();
    const allAnswered = this.#serverEnded && this.#allAnswered;
    if (this.#status === undefined && error && !allAnswered) {
      const broken = systemError(`the connection to ${this.#settings.address} broke`, error);
      report(new YodelError(broken.code, `${broken.message}; ${this.#counts()}`));
      this.#status = exitStatus.failure;
    }
    if (this.#status === undefined) this.#judge();
    this.#finishWhenPrinted();
  }

  /** A server may answer nothing at all, as `discard` does; but one that answers some messages and not others has lost them. */
  #judge(): void {
    const isShort = this.#replies > 0 && !this.#allAnswered;
    if (isShort) {
      const { address } = this.#settings;
      report(new YodelError('YODEL_CONNECTION_CLOSED', `${address} ended the connection; ${this.#counts()}`));
    }
    this.#end(isShort ? exitStatus.failure : exitStatus.good);
  }

  /** After the end of input: the server has some time, anew after each sign of life. */
  #awaitServer(): void {
    clearTimeout(this.#silence);
    if (this.#settings.waitMs === 0) return;
    this.#silence = setTimeout(() => {
      // It is not read while its replies cannot be printed: that is no silence of its own.
      if (!this.#output.isEmpty) return this.#awaitServer();
      if (!this.#allAnswered) {
        const { address, waitMs } = this.#settings;
        report(
          new YodelError(
            'YODEL_REQUEST_TIMEOUT',
            `${address} was silent for ${waitMs} ms; ${this.#counts()} (see --wait)`,
          ),
        );
      }
      this.#end(this.#allAnswered ? exitStatus.good : exitStatus.timeout);
      this.#connection.end();
      this.#connection.release();
    }, this.#settings.waitMs);
  }

  #interrupted(status: number): void {
    this.#end(status);
    this.#connection.abort();
    process.exit(status);
  }

  #outputFailed(status: number): void {
    this.#end(status);
    this.#connection.abort();
  }

  #end(status: number): void {
    this.#status ??= status;
    clearTimeout(this.#silence);
  }

  #finishWhenPrinted(): void {
    if (this.#status !== undefined && this.#output.isEmpty) this.#done.resolve(this.#status);
  }

  #endedEarly(): YodelError {
    const { address } = this.#settings;
    return new YodelError(
      'YODEL_CONNECTION_CLOSED',
      `${address} ended the connection before the end of input; ${this.#counts()}`,
    );
  }

  get #replies(): number {
    return this.#arrived.count - this.#greetings;
  }

  /** Raw bytes come in other pieces than they went: there, any reply is one to all. */
  get #allAnswered(): boolean {
    return this.#isRaw ? this.#replies > 0 || this.#sent.count === 0 : this.#replies >= this.#sent.count;
  }

  get #isRaw(): boolean {
    return this.#settings.framing.name === 'raw';
  }

  #counts(): string {
    const unsent = this.#connection.unsent > 0 ? `, ${this.#connection.unsent} bytes of input were not sent` : '';
    if (this.#isRaw) return `${this.#received} bytes were received${unsent}`;
    return `${this.#replies} of ${this.#sent.begun} messages were answered${unsent}`;
  }
}

/** Counts the messages in a stream of bytes. With a limit the stream ends behind message number `limit`. */
class MessageCounter {
  readonly #decoder: Decoder;
  readonly #limit: number;
  #count = 0;

  constructor(framing: Framing, limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
    this.#decoder = framing.createDecoder({
      maxMessageLength: Number.isFinite(limit) ? longestHeld : longestCounted,
      onTooLong: 'discard',
      encoding: 'binary',
    });
  }

  get count(): number {
    return this.#count;
  }

  /** The unfinished one included. */
  get begun(): number {
    return this.#count + (this.#decoder.pending > 0 ? 1 : 0);
  }

  add(chunk: Uint8Array): void {
    this.addUpTo(chunk);
  }

  /** Counts, and gives the bytes up to the limit. @throws YodelError when it cannot be told any more where that is */
  addUpTo(chunk: Uint8Array): Uint8Array {
    const limit = this.#limit;
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      const missing = limit - this.#count;
      if (batch.count >= missing) {
        batch.take(missing);
        const behind = batch.byteLength + (batch.rest?.length ?? 0) + this.#decoder.pending;
        this.#count = limit;
        return chunk.subarray(0, chunk.length - behind);
      }
      if (batch.fault && Number.isFinite(limit)) throw batch.fault;
      this.#count += batch.count + (batch.fault ? 1 : 0);
    }
    return chunk;
  }

  end(): void {
    this.#count += this.#decoder.end().count;
  }
}
