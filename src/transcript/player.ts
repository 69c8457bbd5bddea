/** One client of a transcript that is played: a connection, and the messages that came over it and were not looked at yet. */
import type { Address } from '../address.ts';
import { YodelError } from '../errors.ts';
import { type Decoder, decodeChunk, type Framing } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import { raw } from '../framing/raw.ts';
import { connectWithin } from '../transport/connect-within.ts';
import type { Connection, Receiver, TlsOptions } from '../transport/transport.ts';
import { longestMessage } from './frames.ts';

/** Why there is no message. */
export type Absence = 'timeout' | 'ended' | 'broken';

/** What came next. */
export type Arrived = { readonly bytes: Uint8Array } | { readonly absent: Absence; readonly why?: string | undefined };

/** Messages that come before a line looks at them: so many bytes of them, with what each costs beside its own. */
const mostWaiting = 134_217_728;
const messageCost = 100;

export class Player implements Receiver {
  readonly #connection: Connection;
  readonly #decoder: Decoder;
  readonly #messages: Uint8Array[] = [];
  #waiting = 0;
  #hasEnded = false;
  #absence: { readonly absent: Absence; readonly why?: string | undefined } | undefined;
  #look: (() => void) | undefined;
  /** Who waits for the server to take something. */
  readonly #takers: (() => void)[] = [];
  readonly #gone = Promise.withResolvers<void>();

  private constructor(connection: Connection, framing: Framing) {
    this.#connection = connection;
    const own = connection.carriesMessages ? raw() : framing;
    this.#decoder = own.createDecoder({ maxMessageLength: longestMessage, onTooLong: 'close', encoding: 'binary' });
    connection.start(this);
  }

  /** @throws YodelError as `Transport.connect`; `YODEL_CONNECT_TIMEOUT` */
  static async connect(address: Address, framing: Framing, withinMs: number, tls: TlsOptions): Promise<Player> {
    return new Player(await connectWithin(address, withinMs, tls), framing);
  }

  /** Whether messages need no framing on this connection. */
  get carriesMessages(): boolean {
    return this.#connection.carriesMessages;
  }

  /** Bytes that wait for the server. */
  get unsent(): number {
    return this.#connection.unsent;
  }

  /** Whether nothing can come or go any more. */
  get isGone(): boolean {
    return this.#absence !== undefined;
  }

  /** Resolves when the server has taken some of what waits for it, or has gone: with false when it has not within the time. */
  async someTaken(withinMs: number): Promise<boolean> {
    if (this.#absence) return true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), withinMs);
    });
    const taken = new Promise<boolean>((resolve) => this.#takers.push(() => resolve(true)));
    return await Promise.race([taken, late]).finally(() => clearTimeout(timer));
  }

  send(frame: Uint8Array): void {
    this.#connection.write(frame);
  }

  /** Ends this side. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#connection.end();
  }

  abort(): void {
    this.#connection.abort();
  }

  /** The next message, or why there is none within the time. */
  async next(withinMs: number): Promise<Arrived> {
    const giveUpAt = performance.now() + withinMs;
    // A part of a message is a change as well.
    while (this.#messages.length === 0 && !this.#absence) {
      const left = giveUpAt - performance.now();
      if (left <= 0) break;
      await this.#change(left);
    }
    const bytes = this.#messages.shift();
    if (bytes) this.#waiting -= bytes.length + messageCost;
    return bytes ? { bytes } : (this.#absence ?? { absent: 'timeout' });
  }

  /**
   * Ends this side, and gives what still comes until the other one has ended too, within the time: also a message that is not
   * finished then; and what broke.
   */
  async finish(
    withinMs: number,
  ): Promise<{ readonly messages: readonly Uint8Array[]; readonly broken?: string | undefined }> {
    this.end();
    const timer = setTimeout(() => this.#gone.resolve(), withinMs);
    await this.#gone.promise;
    clearTimeout(timer);
    this.#connection.release();
    if (!this.#absence) this.#take(this.#decoder.end());
    const broken = this.#absence?.absent === 'broken' ? this.#absence.why : undefined;
    return { messages: this.#messages.splice(0), broken };
  }

  onData(chunk: Uint8Array): void {
    // Messages are kept: borrowed bytes must be copied.
    for (const batch of decodeChunk(this.#decoder, Buffer.from(chunk))) {
      this.#take(batch);
    }
  }

  onEnd(): void {
    this.#take(this.#decoder.end());
    this.#over({ absent: 'ended' });
    this.#gone.resolve();
  }

  onDrain(): void {
    for (const resolve of this.#takers.splice(0)) resolve();
  }

  onClose(error?: Error): void {
    // Who was told of the end may break off: it owes nothing more.
    this.#over(error && !this.#hasEnded ? { absent: 'broken', why: error.message } : { absent: 'ended' });
    this.#gone.resolve();
  }

  #take(batch: Batch): void {
    for (const { bytes } of batch) {
      this.#messages.push(bytes);
      this.#waiting += bytes.length + messageCost;
    }
    if (this.#waiting > mostWaiting) {
      this.#over({ absent: 'broken', why: `more than ${mostWaiting} bytes came that no line waited for` });
      this.#connection.abort();
    }
    if (batch.fault instanceof YodelError) this.#over({ absent: 'broken', why: batch.fault.message });
    this.#look?.();
  }

  #over(absence: { readonly absent: Absence; readonly why?: string | undefined }): void {
    this.#absence ??= absence;
    this.onDrain();
    this.#look?.();
  }

  async #change(withinMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#look = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#look = undefined;
  }
}
