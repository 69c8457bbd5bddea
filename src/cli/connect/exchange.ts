/**
 * `yodel connect` in a pipe, and `yodel send`, message by message: for options that depend on which message a reply belongs to,
 * when each message is sent, or how messages are printed. Replies belong to messages in order: the first to the first.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Address, formatPeer } from '../../address.ts';
import { Condition } from '../../client/condition.ts';
import { MessageConnection, type MessageReceiver } from '../../client/message-connection.ts';
import { systemError, YodelError } from '../../errors.ts';
import { type Decoder, decodeChunk, encode } from '../../framing/framing.ts';
import type { Batch, Message, MessageParts } from '../../framing/message.ts';
import { type Conversation, openConversation, type Protocol, protocolOver } from '../../framing/protocol.ts';
import type { Recording } from '../../transcript/record/recording.ts';
import type { Connection, TlsOptions } from '../../transport/transport.ts';
import { exitStatus, report } from '../fail.ts';
import { dialFor } from './handshake.ts';
import { type PrintMessage, toBytes } from './message-format.ts';
import { withParts } from './message-parts.ts';
import type { BeginRecording } from './record.ts';
import { highWaterMark, ReplyOutput } from './reply-output.ts';
import { UnansweredMessages } from './unanswered.ts';

/** How messages are exchanged. Times are milliseconds. */
export interface ExchangeSettings {
  readonly address: Address;
  readonly tls: TlsOptions;
  readonly protocol: Protocol;
  readonly connectTimeoutMs: number;
  /** Whether to tell how the connection came about. */
  readonly verbose: boolean;
  /** How many messages to send; Infinity for all. */
  readonly count: number;
  /** Whether messages are sent with the framing's own ending instead of the one they were read with. */
  readonly reframes: boolean;
  /** What sent messages have besides their payload. */
  readonly parts: MessageParts | undefined;
  /** Whether each message waits for the reply to the one before. */
  readonly lockstep: boolean;
  /** The pause between two messages. */
  readonly intervalMs: number;
  /** Whether fewer replies than messages are a failure. */
  readonly waitReplies: boolean;
  /** How long to wait for a reply. 0: no limit. */
  readonly timeoutMs: number;
  /** Without `waitReplies`: how long the server may be silent after the end of input. 0: no limit. */
  readonly waitMs: number;
  /** Whether to end this side (FIN) after the end of input; with `waitReplies` and `lockstep`, after the last reply. */
  readonly shutdown: boolean;
  readonly print: PrintMessage;
  readonly beginRecording: BeginRecording | undefined;
}

/** When the server ends first: how long to wait for an end of input that may not have been read yet. */
const inputGraceMs = 200;
/** After the last reply: how long the server may be silent, and how long it may keep sending, before yodel disconnects. */
const trailingSilenceMs = 1000;
const maxTrailingMs = 60_000;

const decoderOptions = { maxMessageLength: 16_777_216, onTooLong: 'close', encoding: 'binary' } as const;

/** Connects, sends the messages of the input, and resolves with the exit status. @throws YodelError when it cannot connect */
export async function exchange(settings: ExchangeSettings, input: AsyncIterable<Uint8Array>): Promise<number> {
  const connection = await dialFor(settings);
  // The input is what a server would receive.
  const { decoder, sent } = openConversation(settings.protocol, 'server', decoderOptions);
  const pieces = settings.protocol.createState ? linesIn(input) : input;
  return await new Exchange(settings, connection, sent).run(messagesOf(decoder, pieces));
}

/** The same with messages that are given. */
export async function exchangeMessages(settings: ExchangeSettings, messages: readonly Message[]): Promise<number> {
  return await new Exchange(settings, await dialFor(settings), undefined).run(each(messages));
}

async function* each(messages: readonly Message[]): AsyncGenerator<Message> {
  yield* messages;
}

/**
 * The input in pieces of at most a line: where the replies determine how the input is framed, such as a text after a granted DATA,
 * it is decoded no further than it is sent.
 */
async function* linesIn(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of input) {
    for (let at = 0; at < chunk.length; ) {
      const end = chunk.indexOf(0x0a, at) + 1 || chunk.length;
      yield chunk.subarray(at, end);
      at = end;
    }
  }
}

async function* messagesOf(decoder: Decoder, input: AsyncIterable<Uint8Array>): AsyncGenerator<Message> {
  for await (const chunk of input) {
    for (const batch of decodeChunk(decoder, chunk)) {
      yield* batch;
      if (batch.fault) throw ofInput(batch.fault);
    }
  }
  const last = decoder.end();
  yield* last;
  if (last.fault) throw ofInput(last.fault);
}

/** Says that the fault is in the input, not in what the server sent. */
function ofInput({ code, message }: YodelError): YodelError {
  return new YodelError(code, `stdin: ${message}`);
}

class Exchange implements MessageReceiver {
  readonly #settings: ExchangeSettings;
  readonly #connection: MessageConnection;
  readonly #recording: Recording | undefined;
  readonly #output = new ReplyOutput({ written: () => this.#printed(), failed: (status) => this.#finish(status) });
  readonly #changed = new Condition();
  readonly #unanswered = new UnansweredMessages();
  #sent = 0;
  #received = 0;
  #bytesReceived = 0;
  #serverEnded = false;
  readonly #replied: Conversation['sent'];
  /** Whether the server may reply after this side has ended. A WebSocket closes both. */
  readonly #hasFin: boolean;
  /** The number of messages that the server still has to send before any reply. */
  #greetingsDue: number;
  /** The exit status, once it is known. */
  #status: number | undefined;

  /** @param replied observes what the server sends, for the decoder of the input */
  constructor(settings: ExchangeSettings, connection: Connection, replied: Conversation['sent']) {
    this.#settings = settings;
    this.#replied = replied;
    this.#greetingsDue = settings.protocol.greeting ?? 0;
    const protocol = protocolOver(settings.protocol, connection.framing);
    this.#hasFin = connection.framing === undefined;
    this.#recording = settings.beginRecording?.(protocol, (error) => this.#fail(error));
    this.#connection = new MessageConnection(connection, settings.protocol, decoderOptions, this);
  }

  async run(messages: AsyncIterator<Message>): Promise<number> {
    process.on('SIGINT', () => process.exit(130)).on('SIGTERM', () => process.exit(143));
    await this.#sendAll(messages).catch((error: unknown) => this.#fail(error));
    if (this.#status === undefined) await this.#awaitReplies();
    process.stdin.destroy();
    if (this.#status === undefined) await this.#disconnect();
    this.#printUnfinished();
    await this.#changed.until(() => this.#output.isEmpty);
    this.#connection.release();
    return this.#status ?? exitStatus.good;
  }

  async #sendAll(messages: AsyncIterator<Message>): Promise<void> {
    const { count, lockstep, intervalMs, timeoutMs } = this.#settings;
    if (lockstep) await this.#until(() => this.#greetingsDue === 0, timeoutMs);
    while (this.#sent < count && this.#status === undefined) {
      const next = await this.#next(messages);
      if (next?.done) return;
      if (!next) break;
      if (this.#sent > 0 && intervalMs > 0) await this.#until(() => false, intervalMs);
      await this.#until(() => this.#connection.unsent <= highWaterMark && !this.#output.isFull);
      if (this.#isOver) break;
      this.#send(next.value);
      if (!lockstep) continue;
      const isAnswered = await this.#until(() => this.#unanswered.count === 0, timeoutMs);
      if (!isAnswered) return this.#reportUnanswered(this.#serverEnded ? undefined : timeoutMs);
    }
    if (this.#sent < count && this.#serverEnded && this.#status === undefined) this.#reportEarlyEnd();
  }

  /** The next message of the input, or its end; undefined if the server ended or the output failed first. */
  async #next(messages: AsyncIterator<Message>): Promise<IteratorResult<Message> | undefined> {
    const next = messages.next();
    let isSettled = false;
    const settled = () => {
      isSettled = true;
      this.#changed.notify();
    };
    next.then(settled, settled);
    await this.#until(() => isSettled);
    // The end of input may have arrived without having been read yet.
    if (!isSettled && this.#serverEnded) await Promise.race([next, pause(inputGraceMs)]);
    return isSettled ? await next : undefined;
  }

  /** Messages with a reply. A message received while no reply is pending is not a reply. */
  get #answered(): number {
    return this.#sent - this.#unanswered.count;
  }

  get #isOver(): boolean {
    return this.#serverEnded || this.#status !== undefined;
  }

  #send(read: Message): void {
    const { reframes, parts, print, address } = this.#settings;
    const { framing } = this.#connection;
    const message = withParts(read, parts);
    // Read in the same framing, it is sent as it was read. A last line without an ending gets one: the server would wait for it.
    const frame = encode(framing, reframes ? message.bytes : message);
    this.#sent++;
    this.#unanswered.add(this.#sent, message.bytes);
    this.#connection.sendFrame(Buffer.from(frame));
    this.#recording?.add('>', frame);
    this.#print(print({ direction: 'sent', number: this.#sent, peer: formatPeer(address), message }));
  }

  /** After the end of input. */
  async #awaitReplies(): Promise<void> {
    const { waitReplies, lockstep, shutdown, timeoutMs, waitMs } = this.#settings;
    if (waitReplies || lockstep) {
      await this.#untilSilent(() => this.#unanswered.count === 0, timeoutMs);
      if (this.#unanswered.count > 0) this.#reportUnanswered(this.#isOver ? undefined : timeoutMs);
      return;
    }
    if (shutdown && this.#hasFin) this.#endSide();
    await this.#untilSilent(() => !this.#hasFin && this.#unanswered.count === 0, waitMs);
    // A server may answer nothing at all, as `discard` does.
    const isShort = this.#unanswered.count > 0 && (this.#answered > 0 || !this.#isOver);
    if (!isShort) return;
    if (this.#isOver) this.#reportUnanswered(undefined, exitStatus.failure);
    else this.#reportUnanswered(waitMs, exitStatus.timeout);
  }

  /** Everything is answered: ends this side and receives the rest of what the server sends. */
  async #disconnect(): Promise<void> {
    this.#endSide();
    const deadline = performance.now() + maxTrailingMs;
    await this.#untilSilent(() => performance.now() > deadline, trailingSilenceMs);
    if (!this.#isOver && performance.now() > deadline) {
      process.stderr.write(
        `yodel: ${this.#settings.address} answered every message but kept sending for ${maxTrailingMs / 1000} s; disconnected\n`,
      );
    }
  }

  /**
   * Waits until `condition()`, the end of the exchange, or a server that was silent for `ms` milliseconds (0: no limit). While its
   * replies cannot be printed the server is not read, which does not count as silence.
   */
  async #untilSilent(condition: () => boolean, ms: number): Promise<void> {
    for (;;) {
      const before = this.#bytesReceived;
      await this.#until(() => condition() || this.#bytesReceived > before, ms);
      if (condition() || this.#isOver) return;
      if (this.#bytesReceived > before) continue;
      if (this.#output.isEmpty) return;
      await this.#until(() => this.#output.isEmpty);
    }
  }

  #endSide(): void {
    this.#connection.end();
    this.#recording?.end('>');
  }

  #reportUnanswered(withinMs: number | undefined, status: number = exitStatus.unmet): void {
    // The exchange ended for another reason, which was reported: for example, the reader of the output is gone (`| head -1`).
    if (this.#status !== undefined) return;
    const { count } = this.#unanswered;
    const when = withinMs === undefined ? 'before the server ended' : `within ${withinMs} ms`;
    const what = `${count} of ${this.#sent} messages ${count === 1 ? 'was' : 'were'} not answered ${when}`;
    process.stderr.write(`yodel: ${what}: ${this.#unanswered.format()}\n`);
    this.#finish(status);
  }

  #reportEarlyEnd(): void {
    const { waitReplies, lockstep, address } = this.#settings;
    if (this.#unanswered.count > 0 && (waitReplies || lockstep)) return this.#reportUnanswered(undefined);
    process.stderr.write(
      `yodel: ${address} ended the connection before the end of input; ${this.#answered} of ${this.#sent} messages were answered\n`,
    );
    this.#finish(exitStatus.failure);
  }

  onChunk(chunk: Uint8Array): void {
    this.#bytesReceived += chunk.length;
    this.#replied?.(chunk);
    this.#recording?.add('<', chunk);
  }

  onBatch(batch: Batch): void {
    // The messages of a chunk are written together.
    const printed = Array.from(batch, (message) => toBytes(this.#receive(message) ?? ''));
    this.#print(Buffer.concat(printed));
    if (this.#output.isFull) this.#connection.pause();
    if (batch.fault) this.#fail(batch.fault);
    this.#changed.notify();
  }

  /** Returns how the message is printed. */
  #receive(message: Message): string | Uint8Array | undefined {
    const { print, address } = this.#settings;
    const isGreeting = this.#greetingsDue > 0;
    if (isGreeting) this.#greetingsDue--;
    const rttMs = isGreeting ? undefined : this.#unanswered.answer();
    return print({ direction: 'received', number: ++this.#received, peer: formatPeer(address), message, rttMs });
  }

  onDrain(): void {
    this.#changed.notify();
  }

  onEnd(): void {
    this.#recording?.end('<');
    this.#endOfServer();
  }

  onClose(error?: Error): void {
    if (error && !this.#isOver) this.#fail(systemError(`the connection to ${this.#settings.address} broke`, error));
    this.#endOfServer();
  }

  #print(text: string | Uint8Array | undefined): void {
    if (text !== undefined) this.#output.write(toBytes(text));
  }

  #printed(): void {
    if (this.#output.isLow) this.#connection.resume();
    this.#changed.notify();
  }

  /** Prints a message that the server has not finished. It does not count as a reply. */
  #printUnfinished(): void {
    const { print, address } = this.#settings;
    for (const message of this.#serverEnded ? [] : this.#connection.unfinished()) {
      this.#print(print({ direction: 'received', number: this.#received + 1, peer: formatPeer(address), message }));
    }
    this.#output.end();
  }

  #endOfServer(): void {
    this.#serverEnded = true;
    this.#changed.notify();
  }

  #fail(error: unknown): void {
    report(error);
    this.#finish(exitStatus.failure);
  }

  #finish(status: number): void {
    this.#status ??= status;
    this.#changed.notify();
  }

  /** Waits until `condition()` or the end of the exchange, at most `timeoutMs` (0: no limit). Resolves with whether it is met. */
  async #until(condition: () => boolean, timeoutMs = 0): Promise<boolean> {
    await this.#changed.until(() => condition() || this.#isOver, timeoutMs || undefined);
    return condition();
  }
}
