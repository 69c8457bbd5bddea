/**
 * `yodel connect` in a pipe: bytes pass unchanged in both directions, and nothing is counted but bytes. The exit status says
 * whether the connection took all of the input and ended in order. Replies are escaped only when stdout is a terminal.
 *
 * | Event | Then |
 * |---|---|
 * | the input ends | FIN, after everything is sent; the server has `--wait` for each next byte |
 * | the server ends, everything is sent | done, once no reset has shown that it did not read it |
 * | the server ends, the input has not ended | a moment for the end of input |
 * | … and more input arrives | failure, unless the server has sent nothing: such a server only receives |
 */
import { realClock, type Timer } from '../../clock.ts';
import { type ErrorCode, systemError, YodelError } from '../../errors.ts';
import type { Connection, Receiver } from '../../transport/transport.ts';
import { exitStatus, report } from '../fail.ts';
import { type Delivered, Delivery, wasReset } from './delivery.ts';
import { FirstMessages } from './first-messages.ts';
import { dialFor } from './handshake.ts';
import { Beginnings } from './hints.ts';
import { inputGrace, sizeOfInput } from './input.ts';
import { highWaterMark, ReplyOutput } from './reply-output.ts';
import type { ConnectSettings } from './settings.ts';

/**
 * How long the reset of a server that closed without reading what was sent may need to arrive, in milliseconds, where the operating
 * system does not tell whether something is still to arrive there.
 */
const resetGraceMs = 250;

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
  /** What is left of `--count`. */
  readonly #first: FirstMessages | undefined;
  readonly #beginnings: Beginnings;
  readonly #delivery: Delivery;
  /** Known if the input is a file that is sent to its end. */
  readonly #inputSize: number | undefined;
  #inputEnded = false;
  #serverEnded = false;
  #isClosed = false;
  /** Whether everything was sent, and this side ended, before the server did. */
  #wasComplete = false;
  /** For the silence of the server after the end of input, or of the input after the end of the server. */
  #timer: Timer | undefined;
  /** The exit status, once it is known. */
  #status: number | undefined;
  readonly #done = Promise.withResolvers<number>();

  constructor(settings: ConnectSettings, connection: Connection) {
    this.#settings = settings;
    this.#connection = connection;
    this.#beginnings = new Beginnings(settings.address);
    this.#delivery = new Delivery(connection);
    const { count, protocol } = settings;
    this.#first = Number.isFinite(count) ? new FirstMessages(protocol.framing, count) : undefined;
    this.#inputSize = this.#first ? undefined : sizeOfInput();
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
    if (this.#inputEnded || this.#status !== undefined) return;
    if (this.#serverEnded && this.#beginnings.receivedBytes > 0) return this.#refuse(chunk.length);
    const bytes = this.#upToCount(chunk);
    this.#beginnings.sent(bytes);
    this.#connection.write(bytes);
    if (this.#first?.areComplete) this.#endInput();
    else if (this.#connection.unsent > highWaterMark) process.stdin.pause();
    if (this.#serverEnded) this.#awaitInput();
  }

  /** The bytes up to message number --count; none when its end cannot be found. */
  #upToCount(chunk: Uint8Array): Uint8Array {
    try {
      return this.#first?.take(chunk) ?? chunk;
    } catch (error) {
      this.#fail(error);
      return chunk.subarray(0, 0);
    }
  }

  #endInput(): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    // A terminal, or a pipe that stays open, would keep the process alive.
    process.stdin.destroy();
    if (this.#serverEnded) return this.#finishInput();
    if (this.#settings.shutdown) this.#endSide();
    this.#awaitServer();
  }

  /** A server that has ended may have reset the connection meanwhile. Bun does not say so once this side has ended, too. */
  #endSide(): void {
    if (this.#connection.unsent === 0 && this.#delivery.peerHasEnded) return;
    this.#connection.end();
    this.#delivery.ended();
  }

  onData(chunk: Uint8Array): void {
    this.#beginnings.received(chunk);
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
    if (this.#serverEnded) this.#finishInput();
    else if (this.#inputEnded) this.#awaitServer();
  }

  onEnd(): void {
    this.#serverEnded = true;
    this.#timer?.cancel();
    this.#wasComplete = this.#inputEnded && this.#connection.unsent === 0;
    if (this.#wasComplete) return void this.#endWhenDelivered();
    // What the server has sent, it sent without having seen the rest of the input, and it will send no more.
    if (this.#connection.unsent > 0 && this.#beginnings.receivedBytes > 0) return this.#refuse(0);
    // The end of input may have arrived without having been read.
    process.stdin.resume();
    if (process.stdin.isTTY) this.#endInput();
    else this.#finishInput();
  }

  /** After the server's end. Its reset, if it has not read everything, shows only when something is sent. */
  #finishInput(): void {
    if (!this.#inputEnded || this.#connection.unsent > 0) return this.#awaitInput();
    this.#timer?.cancel();
    this.#timer = realClock.deadline(resetGraceMs, () => void this.#endWhenDelivered());
  }

  /** After the server's end, when everything was sent: ends this side, too, unless the server refuses the rest. */
  async #endWhenDelivered(): Promise<void> {
    this.#connection.probe?.();
    const delivered = await this.#delivery.settled(inputGrace(this.#settings.waitMs));
    if (this.#isClosed || this.#status !== undefined) return;
    if (delivered.isReset && !this.#mayReset) this.#broke(wasReset(this.#settings.address));
    else if (delivered.pending > 0) this.#notTaken(delivered);
    else this.#connection.end();
  }

  /** An encrypted server may close without reading the notice that this side closes, which resets the connection. */
  get #mayReset(): boolean {
    return this.#wasComplete && this.#connection.security !== undefined;
  }

  /** After the server's end: gives the input a moment to end, and the server to take it. */
  #awaitInput(): void {
    this.#timer?.cancel();
    this.#timer = realClock.deadline(inputGrace(this.#settings.waitMs), () => this.#refuseOpenInput());
  }

  #refuseOpenInput(): void {
    if (!this.#inputEnded || this.#connection.unsent > 0) this.#refuse(0);
  }

  /** The server has ended, and does not take the rest of the input. */
  #refuse(unreadBytes: number): void {
    if (this.#status !== undefined) return;
    this.#fail(this.#error('YODEL_CONNECTION_CLOSED', 'ended the connection before the end of input', unreadBytes));
  }

  onClose(error?: Error): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    process.stdin.destroy();
    this.#output.end();
    void this.#conclude(error).then(() => this.#finishWhenPrinted());
  }

  async #conclude(error?: Error): Promise<void> {
    if (this.#status !== undefined) return;
    if (error && !this.#mayReset) return this.#broke(error);
    if (!this.#inputEnded || this.#connection.unsent > 0) {
      report(this.#error('YODEL_CONNECTION_CLOSED', 'ended the connection before the end of input'));
      return this.#end(exitStatus.failure);
    }
    this.#delivery.closed();
    // Of what was sent, the system goes on to send what the server has not taken.
    const delivered = await this.#delivery.settled(inputGrace(this.#settings.waitMs));
    if (delivered.isReset && !this.#mayReset) this.#broke(wasReset(this.#settings.address));
    else if (delivered.pending > 0) this.#notTaken(delivered);
    else this.#concludeOrderly();
  }

  #concludeOrderly(): void {
    const { address, shutdown } = this.#settings;
    if (this.#beginnings.isRefusedByTls) {
      report(new YodelError('YODEL_TLS', this.#beginnings.tlsHint));
      return this.#end(exitStatus.failure);
    }
    const hint = this.#beginnings.hint(shutdown);
    if (hint !== undefined) process.stderr.write(`yodel: ${address} ended the connection; ${hint}\n`);
    this.#end(exitStatus.good);
  }

  #broke(error: Error): void {
    const { address } = this.#settings;
    const { code, message } = this.#beginnings.broke(error);
    const details = address.scheme === 'exec' ? '' : `; ${this.#left(0, true)}${this.#hint()}`;
    this.#fail(new YodelError(code, `${message}${details}`));
  }

  /** The server has ended, but its operating system does not take the rest. */
  #notTaken({ pending }: Delivered): void {
    const what = `ended the connection and did not take all of the input: the last ${bytesOf(pending)} did not arrive there`;
    this.#fail(new YodelError('YODEL_CONNECTION_CLOSED', `${this.#settings.address} ${what}${this.#hint()}`));
  }

  /** After the end of input: disconnects when the server is silent for --wait. Called again whenever something happens. */
  #awaitServer(): void {
    this.#timer?.cancel();
    const { waitMs } = this.#settings;
    if (waitMs === 0) return;
    this.#timer = realClock.deadline(waitMs, () => {
      // While its replies cannot be printed the server is not read, which does not count as silence.
      if (!this.#output.isEmpty || this.#delivery.hasProgressed()) return this.#awaitServer();
      this.#endSilence();
      this.#connection.end();
      this.#connection.release();
    });
  }

  #endSilence(): void {
    const { waitMs, shutdown } = this.#settings;
    if (this.#connection.unsent > 0) {
      report(this.#error('YODEL_REQUEST_TIMEOUT', `took no input for ${waitMs} ms`));
      return this.#end(exitStatus.failure);
    }
    const { pending } = this.#delivery.now;
    if (pending > 0) {
      const what = `took no input for ${waitMs} ms: the last ${bytesOf(pending)} did not arrive there`;
      report(new YodelError('YODEL_REQUEST_TIMEOUT', `${this.#settings.address} ${what}${this.#hint()}`));
      return this.#end(exitStatus.failure);
    }
    // Without a FIN, there is no other end.
    if (!shutdown) return this.#end(exitStatus.good);
    const what = `was silent for ${waitMs} ms after the end of input, and did not end the connection (see --wait)`;
    report(this.#error('YODEL_REQUEST_TIMEOUT', what));
    this.#end(exitStatus.timeout);
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
    this.#timer?.cancel();
  }

  #finishWhenPrinted(): void {
    if (this.#status !== undefined && this.#output.isEmpty) this.#done.resolve(this.#status);
  }

  /** An error that names the server, and says how much was sent. @param unreadBytes of input that were read and not sent */
  #error(code: ErrorCode, what: string, unreadBytes = 0): YodelError {
    return new YodelError(code, `${this.#settings.address} ${what}; ${this.#left(unreadBytes)}${this.#hint()}`);
  }

  /** How much of the input was not sent. @param isBroken what was sent may not have arrived */
  #left(unreadBytes = 0, isBroken = false): string {
    const { sentBytes } = this.#beginnings;
    const { unsent } = this.#connection;
    const size = this.#inputSize;
    if (size !== undefined && sentBytes - unsent < size)
      return `${isBroken ? 'at least ' : ''}${size - sentBytes + unsent} of ${bytesOf(size)} of input were not sent`;
    const left = unsent + unreadBytes + (this.#inputEnded ? 0 : process.stdin.readableLength);
    const atLeast = this.#inputEnded ? '' : 'at least ';
    if (left > 0) return `${atLeast}${bytesOf(left)} of input ${left === 1 ? 'was' : 'were'} not sent`;
    if (isBroken && this.#inputEnded) return `the server may not have read all ${bytesOf(sentBytes)} of input`;
    return this.#inputEnded
      ? `all ${bytesOf(sentBytes)} of input were sent`
      : `${bytesOf(sentBytes)} of input were sent, and it had not ended`;
  }

  #hint(): string {
    const hint = this.#beginnings.hint(this.#settings.shutdown);
    return hint === undefined ? '' : `; ${hint}`;
  }
}

function bytesOf(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}
