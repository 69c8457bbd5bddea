/**
 * `yodel connect` in a pipe: copies bytes unchanged in both directions, and the exit status says whether the server
 * answered. Only a terminal on stdout receives escaped text.
 *
 * Messages are counted beside the copying, to report how many were answered. No byte waits for the end of its message, so
 * this uses the transport's connection itself and not a MessageConnection.
 */

import { dial } from '../../client/dial.ts';
import { systemError, YodelError } from '../../errors.ts';
import { type Decoder, decodeChunk, type Framing } from '../../framing/framing.ts';
import type { Connection, Receiver } from '../../transport/transport.ts';
import { exitStatus, report } from '../fail.ts';
import { highWaterMark, Output } from '../output.ts';
import type { ConnectSettings } from './settings.ts';

/** A message longer than this is counted without being buffered. */
const maxBuffered = 16_777_216;
/** The same where the input stops after a certain message (`--count`): there the end of each message must be known. */
const maxBufferedToCut = 1_073_741_824;
/** When the server ends first: how long to wait for more input, or its end, that may be on its way. */
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
  /** Messages received before anything was sent: they are not replies. */
  #greetings = 0;
  readonly #done = Promise.withResolvers<number>();
  readonly #output = new Output({ taken: () => this.#printed(), failed: (status) => this.#outputFailed(status) });
  #inputEnded = false;
  /** Bytes of input passed to the connection. */
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

  /** The part of a chunk of input to send: nothing when the end of the last message cannot be found. */
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
    // An open terminal or pipe would keep the process alive.
    process.stdin.destroy();
    if (this.#settings.shutdown) this.#connection.end();
    this.#awaitServer();
  }

  onData(chunk: Uint8Array): void {
    this.#received += chunk.length;
    this.#arrived.add(chunk);
    // A borrowed chunk must be copied: stdout may keep it for long.
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
    // The server may still read, and the end of input may have arrived without having been read yet.
    process.stdin.resume();
    this.#awaitInput(-1);
  }

  /** After the server ended its side: sends input for as long as the server takes it, but does not wait for more input. */
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

  /** A server may answer nothing at all, as `discard` does; one that answers some messages but not all has lost the others. */
  #judge(): void {
    const isShort = this.#replies > 0 && !this.#allAnswered;
    if (isShort) {
      const { address } = this.#settings;
      report(new YodelError('YODEL_CONNECTION_CLOSED', `${address} ended the connection; ${this.#counts()}`));
    }
    this.#end(isShort ? exitStatus.failure : exitStatus.good);
  }

  /** After the end of input: restarts the timer that ends the connection when the server is silent for `--wait`. */
  #awaitServer(): void {
    clearTimeout(this.#silence);
    if (this.#settings.waitMs === 0) return;
    this.#silence = setTimeout(() => {
      // While its replies cannot be printed the server is not read, which does not count as silence.
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

  /** With the framing `raw`, chunks are no messages: there, any reply answers everything. */
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

/** Counts the messages in a stream of bytes. With a limit, the stream ends after message number `limit`. */
class MessageCounter {
  readonly #decoder: Decoder;
  readonly #limit: number;
  #count = 0;

  constructor(framing: Framing, limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
    this.#decoder = framing.createDecoder({
      maxMessageLength: Number.isFinite(limit) ? maxBufferedToCut : maxBuffered,
      onTooLong: 'discard',
      encoding: 'binary',
    });
  }

  get count(): number {
    return this.#count;
  }

  /** Messages, an unfinished one included. */
  get begun(): number {
    return this.#count + (this.#decoder.pending > 0 ? 1 : 0);
  }

  add(chunk: Uint8Array): void {
    this.addUpTo(chunk);
  }

  /** Counts, and returns the bytes up to the limit. @throws YodelError when that place cannot be found */
  addUpTo(chunk: Uint8Array): Uint8Array {
    const limit = this.#limit;
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      const missing = limit - this.#count;
      if (batch.count >= missing) {
        batch.take(missing);
        const excess = batch.byteLength + (batch.rest?.length ?? 0) + this.#decoder.pending;
        this.#count = limit;
        return chunk.subarray(0, chunk.length - excess);
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
