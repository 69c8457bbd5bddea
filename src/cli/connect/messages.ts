/**
 * `yodel connect` in a pipe, message by message: where it matters which message a reply belongs to, when each one goes, or how
 * they are printed. Replies belong to messages in order: the first to the first.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Address, formatPeer } from '../../address.ts';
import { systemError } from '../../errors.ts';
import { decodeChunk, encode, type Framing } from '../../framing/framing.ts';
import type { Batch, Message } from '../../framing/message.ts';
import { escapeBytes } from '../../terminal/escape.ts';
import type { Recording } from '../../transcript/record.ts';
import { connectWithin } from '../../transport/connect-within.ts';
import type { Connection, Receiver, TlsOptions } from '../../transport/transport.ts';
import { exitStatus, report } from '../fail.ts';
import { highWaterMark, Output } from '../output.ts';
import type { PrintMessage } from './message-format.ts';
import type { BeginRecording } from './record.ts';

/** How messages go. Times are milliseconds. */
export interface ExchangeSettings {
  readonly address: Address;
  readonly tls: TlsOptions;
  readonly framing: Framing;
  readonly connectTimeoutMs: number;
  /** Messages to send; Infinity for all. */
  readonly count: number;
  /** Messages go with the ending that the framing writes, whatever they came with. */
  readonly reframes: boolean;
  /** The next message goes when the one before is answered. */
  readonly lockstep: boolean;
  /** The pause between two messages. */
  readonly intervalMs: number;
  /** Fewer replies than messages are a failure. */
  readonly waitReplies: boolean;
  /** How long a reply may take that is waited for. 0: for ever. */
  readonly timeoutMs: number;
  /** Without `waitReplies`: how long the server may be silent after the end of input. 0: for ever. */
  readonly waitMs: number;
  /** Whether the server is told of the end of input; with `waitReplies` and `lockstep`, when all is answered. */
  readonly shutdown: boolean;
  readonly print: PrintMessage;
  readonly beginRecording: BeginRecording | undefined;
}

/** So many messages without a reply are remembered; of more it is only known how many. */
const mostUnanswered = 10_000;
/** When the server ends first: how long the end of input may be on its way. */
const inputGraceMs = 200;
const longestMessage = 16_777_216;
/** How many unanswered messages are named, and how much of each is shown. */
const mostNamed = 10;
const mostShown = 60;
/** How long a server that has answered all may be silent before it is left, and how long it may talk on. */
const lastWordsMs = 1000;
const lastTalkMs = 60_000;

/** Connects, sends what the input has, and resolves with the exit status. @throws YodelError when it cannot connect */
export async function exchange(settings: ExchangeSettings, input: AsyncIterable<Uint8Array>): Promise<number> {
  const { address, connectTimeoutMs, tls } = settings;
  const connection = await connectWithin(address, connectTimeoutMs, tls);
  return await new Exchange(settings, connection).run(messagesOf(settings.framing, input));
}

async function* messagesOf(framing: Framing, input: AsyncIterable<Uint8Array>): AsyncGenerator<Message> {
  const decoder = framing.createDecoder(limits);
  for await (const chunk of input) {
    for (const batch of decodeChunk(decoder, chunk)) {
      yield* batch;
      if (batch.fault) throw batch.fault;
    }
  }
  const last = decoder.end();
  yield* last;
  if (last.fault) throw last.fault;
}

const limits = { maxMessageLength: longestMessage, onTooLong: 'close', encoding: 'binary' } as const;

/** A message that has no reply yet. */
interface Unanswered {
  readonly number: number;
  readonly shown: string;
  readonly sentAt: number;
}

class Exchange implements Receiver {
  readonly #settings: ExchangeSettings;
  readonly #connection: Connection;
  readonly #decoder;
  readonly #recording: Recording | undefined;
  #unanswered: Unanswered[] = [];
  /** Messages behind those, that have no reply either. */
  #others = 0;
  #sent = 0;
  #received = 0;
  #serverEnded = false;
  /** It is over, and with which status. */
  #status: number | undefined;
  /** Bytes that came. */
  #bytes = 0;
  readonly #output = new Output({ taken: () => this.#printed(), failed: (status) => this.#end(status) });
  /** Called when anything has changed. */
  #changed: (() => void) | undefined;

  constructor(settings: ExchangeSettings, connection: Connection) {
    this.#settings = settings;
    this.#connection = connection;
    this.#decoder = settings.framing.createDecoder(limits);
    this.#recording = settings.beginRecording?.((error) => {
      report(error);
      this.#end(exitStatus.failure);
    });
  }

  async run(messages: AsyncIterator<Message>): Promise<number> {
    process.on('SIGINT', () => process.exit(130)).on('SIGTERM', () => process.exit(143));
    this.#connection.start(this);
    await this.#sendAll(messages).catch((error: unknown) => {
      report(error);
      this.#end(exitStatus.failure);
    });
    if (this.#status === undefined) await this.#awaitReplies();
    process.stdin.destroy();
    if (this.#status === undefined) await this.#leave();
    this.#printRest();
    await this.#allPrinted();
    this.#connection.release();
    return this.#status ?? exitStatus.good;
  }

  async #sendAll(messages: AsyncIterator<Message>): Promise<void> {
    const { count, lockstep, intervalMs, timeoutMs } = this.#settings;
    while (this.#sent < count && this.#status === undefined) {
      const next = await this.#next(messages);
      if (next?.done) return;
      // Over: by the server's end, or because nobody reads the output.
      if (!next) break;
      if (this.#sent > 0 && intervalMs > 0) await this.#until(() => false, intervalMs);
      await this.#until(() => this.#connection.unsent <= highWaterMark && !this.#output.isFull, 0);
      if (this.#status !== undefined || this.#serverEnded) break;
      this.#send(next.value);
      if (!lockstep) continue;
      const isAnswered = await this.#until(() => this.#missing === 0, timeoutMs);
      if (!isAnswered) return this.#tellUnanswered(this.#serverEnded ? undefined : timeoutMs);
    }
    if (this.#sent < count && this.#serverEnded && this.#status === undefined) this.#endedEarly();
  }

  /** The next message of the input, or its end; undefined when it is over before there is one. */
  async #next(messages: AsyncIterator<Message>): Promise<IteratorResult<Message> | undefined> {
    const next = messages.next();
    let isThere = false;
    const settled = () => {
      isThere = true;
      this.#changed?.();
    };
    next.then(settled, settled);
    await this.#until(() => isThere, 0);
    // The end of input may be there already and not be read yet.
    if (!isThere && this.#serverEnded) await Promise.race([next, pause(inputGraceMs)]);
    return isThere ? await next : undefined;
  }

  /** Messages that have no reply. */
  get #missing(): number {
    return this.#unanswered.length + this.#others;
  }

  /** Messages that have a reply. What comes when none is due is no reply. */
  get #answered(): number {
    return this.#sent - this.#missing;
  }

  #send(message: Message): void {
    const { framing, reframes, print, address } = this.#settings;
    // A last line without an end gets one: the server would wait for it.
    const isWhole = !reframes && (message.terminator.length > 0 || message.header.length > 0 || framing.name === 'raw');
    const frame = isWhole ? message.frame : encode(framing, message.bytes);
    this.#sent++;
    const shown = escapeBytes(message.bytes.subarray(0, mostShown));
    if (this.#others > 0 || this.#unanswered.length >= mostUnanswered) this.#others++;
    else this.#unanswered.push({ number: this.#sent, shown, sentAt: performance.now() });
    this.#connection.write(Buffer.from(frame));
    this.#recording?.add('>', frame);
    this.#print(print({ direction: 'sent', number: this.#sent, peer: formatPeer(address), message }));
  }

  /** After the end of input. */
  async #awaitReplies(): Promise<void> {
    const { waitReplies, lockstep, timeoutMs, waitMs } = this.#settings;
    if (waitReplies || lockstep) {
      await this.#untilSilent(() => this.#missing === 0, timeoutMs);
      if (this.#missing > 0) this.#tellUnanswered(this.#isOver ? undefined : timeoutMs);
      return;
    }
    if (this.#settings.shutdown) this.#endSide();
    await this.#untilSilent(() => false, waitMs);
    const isShort = this.#missing > 0 && (this.#answered > 0 || !this.#isOver);
    if (isShort)
      this.#tellUnanswered(this.#isOver ? undefined : waitMs, this.#isOver ? exitStatus.failure : exitStatus.timeout);
  }

  get #isOver(): boolean {
    return this.#serverEnded || this.#status !== undefined;
  }

  /** All is answered: says good-bye, and takes what the server may still say. */
  async #leave(): Promise<void> {
    this.#endSide();
    const giveUpAt = performance.now() + lastTalkMs;
    await this.#untilSilent(() => performance.now() > giveUpAt, lastWordsMs);
    if (!this.#isOver && performance.now() > giveUpAt) {
      process.stderr.write(
        `yodel: ${this.#settings.address} answered all and talked on for ${lastTalkMs / 1000} s: left\n`,
      );
    }
  }

  /**
   * Waits until it holds, or it is over, or the server has said nothing for so long (0: for ever). While its replies cannot
   * be printed it is not read: that is no silence of its own.
   */
  async #untilSilent(holds: () => boolean, ms: number): Promise<void> {
    for (;;) {
      const before = this.#bytes;
      await this.#until(() => holds() || this.#bytes > before, ms);
      if (holds() || this.#isOver) return;
      if (this.#bytes === before && this.#output.isEmpty) return;
      if (this.#bytes === before) await this.#until(() => this.#output.isEmpty, 0);
    }
  }

  #endSide(): void {
    this.#connection.end();
    this.#recording?.end('>');
  }

  #tellUnanswered(withinMs: number | undefined, status: number = exitStatus.unmet): void {
    // Over by another reason, which has been told: nobody reads the output any more (`| head -1`).
    if (this.#status !== undefined) return;
    const count = this.#missing;
    const when = withinMs === undefined ? 'before the server ended' : `within ${withinMs} ms`;
    const named = this.#unanswered.slice(0, mostNamed).map(({ number, shown }) => `${number}: ${shown}`);
    const more = count > mostNamed ? `, and ${count - mostNamed} more` : '';
    const what = `${count} of ${this.#sent} messages ${count === 1 ? 'was' : 'were'} not answered ${when}`;
    process.stderr.write(`yodel: ${what}: ${named.join(', ')}${more}\n`);
    this.#end(status);
  }

  #endedEarly(): void {
    const { waitReplies, lockstep } = this.#settings;
    if (this.#missing > 0 && (waitReplies || lockstep)) return this.#tellUnanswered(undefined);
    process.stderr.write(
      `yodel: ${this.#settings.address} ended the connection before the end of input; ${this.#answered} of ${this.#sent} messages were answered\n`,
    );
    this.#end(exitStatus.failure);
  }

  onData(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    this.#recording?.add('<', chunk);
    for (const batch of decodeChunk(this.#decoder, Buffer.from(chunk))) {
      this.#take(batch);
    }
    if (this.#output.isFull) this.#connection.pause();
  }

  #take(batch: Batch): void {
    const { print, address } = this.#settings;
    const pieces: (string | Uint8Array)[] = [];
    for (const message of batch) {
      const asked = this.#unanswered.shift();
      if (!asked && this.#others > 0) this.#others--;
      this.#received++;
      const rttMs = asked && performance.now() - asked.sentAt;
      const passed = {
        direction: 'received',
        number: this.#received,
        peer: formatPeer(address),
        message,
        rttMs,
      } as const;
      pieces.push(print(passed) ?? '');
    }
    // What came together is written together.
    this.#print(Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))));
    if (batch.fault) {
      report(batch.fault);
      this.#end(exitStatus.failure);
    }
    this.#changed?.();
  }

  #print(text: string | Uint8Array | undefined): void {
    if (text !== undefined) this.#output.write(typeof text === 'string' ? Buffer.from(text) : text);
  }

  #printed(): void {
    if (this.#output.isLow) this.#connection.resume();
    this.#changed?.();
  }

  /** A message that the server has not finished is shown, and is no reply. */
  #printRest(): void {
    const { print, address } = this.#settings;
    for (const message of this.#serverEnded ? [] : this.#decoder.end()) {
      this.#print(print({ direction: 'received', number: this.#received + 1, peer: formatPeer(address), message }));
    }
    this.#output.end();
  }

  async #allPrinted(): Promise<void> {
    while (!this.#output.isEmpty) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  onDrain(): void {
    this.#changed?.();
  }

  onEnd(): void {
    this.#take(this.#decoder.end());
    this.#recording?.end('<');
    this.#serverOver();
  }

  onClose(error?: Error): void {
    if (error && !this.#serverEnded && this.#status === undefined) {
      report(systemError(`the connection to ${this.#settings.address} broke`, error));
      this.#end(exitStatus.failure);
    }
    this.#serverOver();
  }

  #serverOver(): void {
    this.#serverEnded = true;
    this.#changed?.();
  }

  #end(status: number): void {
    this.#status ??= status;
    this.#changed?.();
  }

  /** Resolves when it holds, or nothing can change any more; false when it does not hold within the time (0: no limit). */
  async #until(holds: () => boolean, withinMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (holds() || this.#isOver) resolve();
      };
      if (withinMs > 0) timer = setTimeout(resolve, withinMs);
      this.#changed = look;
      look();
    });
    clearTimeout(timer);
    this.#changed = undefined;
    return holds();
  }
}
