/**
 * `yodel connect` in a pipe, and `yodel send`, message by message: for options that depend on which message a reply belongs to,
 * when each message is sent, or how messages are printed. Replies are counted only where an option asks for it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Address, formatPeer } from '../../address.ts';
import { Condition } from '../../client/condition.ts';
import { MessageConnection, type MessageReceiver } from '../../client/message-connection.ts';
import { encode } from '../../framing/framing.ts';
import type { Batch, Message, MessageParts } from '../../framing/message.ts';
import { type Conversation, openConversation, type Protocol, protocolOver } from '../../framing/protocol.ts';
import type { Recording } from '../../transcript/record/recording.ts';
import type { Connection, TlsOptions } from '../../transport/transport.ts';
import { exitStatus, report } from '../fail.ts';
import { Delivery, wasReset } from './delivery.ts';
import { dialFor } from './handshake.ts';
import { Beginnings } from './hints.ts';
import { each, inputGrace, linesIn, messagesOf } from './input.ts';
import { type PrintMessage, toBytes } from './message-format.ts';
import { withParts } from './message-parts.ts';
import type { BeginRecording } from './record.ts';
import { Replies } from './replies.ts';
import { highWaterMark, ReplyOutput } from './reply-output.ts';

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
  /** How many replies end the exchange; fewer are a failure. Undefined: any number. */
  readonly countReplies: number | undefined;
  /** How long to wait for a reply. 0: no limit. */
  readonly timeoutMs: number;
  /** Where replies are not counted: how long the server may be silent after the end of input. 0: no limit. */
  readonly waitMs: number;
  /** Whether to end this side (FIN) after the end of input; where replies are counted, after the last one. */
  readonly shutdown: boolean;
  readonly print: PrintMessage;
  readonly beginRecording: BeginRecording | undefined;
}

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
  const source = process.stdin.isTTY ? 'typed' : 'piped';
  return await new Exchange(settings, connection, sent).run(messagesOf(decoder, pieces), source);
}

/** The same with messages that are given. */
export async function exchangeMessages(
  settings: ExchangeSettings,
  messages: readonly Message[] | AsyncIterable<Message>,
): Promise<number> {
  return await new Exchange(settings, await dialFor(settings), undefined).run(each(messages));
}

class Exchange implements MessageReceiver {
  readonly #settings: ExchangeSettings;
  readonly #connection: MessageConnection;
  readonly #recording: Recording | undefined;
  readonly #output = new ReplyOutput({ written: () => this.#printed(), failed: (status) => this.#finish(status) });
  readonly #changed = new Condition();
  readonly #replies: Replies;
  readonly #beginnings: Beginnings;
  readonly #delivery: Delivery;
  #received = 0;
  #source = 'given';
  #serverEnded = false;
  /** What the connection had not sent when it was closed. */
  #lost = 0;
  readonly #replied: Conversation['sent'];
  /** Whether the server may reply after this side has ended. A WebSocket closes both. */
  readonly #hasFin: boolean;
  readonly #isEncrypted: boolean;
  /** The exit status, once it is known. */
  #status: number | undefined;

  /** @param replied observes what the server sends, for the decoder of the input */
  constructor(settings: ExchangeSettings, connection: Connection, replied: Conversation['sent']) {
    this.#settings = settings;
    this.#replied = replied;
    this.#replies = new Replies(settings.protocol);
    this.#beginnings = new Beginnings(settings.address);
    this.#delivery = new Delivery(connection);
    const protocol = protocolOver(settings.protocol, connection.framing);
    this.#hasFin = connection.framing === undefined;
    this.#isEncrypted = connection.security !== undefined;
    this.#recording = settings.beginRecording?.(protocol, (error) => this.#fail(error));
    this.#connection = new MessageConnection(connection, settings.protocol, decoderOptions, this);
  }

  /** @param source of typed messages, the server's end is the end; of piped ones, the end may have arrived unread */
  async run(messages: AsyncIterator<Message>, source: 'given' | 'typed' | 'piped' = 'given'): Promise<number> {
    this.#source = source;
    process.on('SIGINT', () => process.exit(130)).on('SIGTERM', () => process.exit(143));
    await this.#sendAll(messages).catch((error: unknown) => this.#fail(error));
    if (this.#status === undefined) await this.#awaitReplies();
    process.stdin.destroy();
    if (this.#status === undefined) await this.#disconnect();
    this.#printUnfinished();
    this.#judge();
    await this.#changed.until(() => this.#output.isEmpty);
    this.#connection.release();
    return this.#status ?? exitStatus.good;
  }

  /** Whether anything is expected of replies. */
  get #countsReplies(): boolean {
    const { waitReplies, lockstep, countReplies } = this.#settings;
    return waitReplies || lockstep || countReplies !== undefined;
  }

  /** Whether there are as many replies as `countReplies` says. */
  get #isEnough(): boolean {
    return this.#replies.count >= (this.#settings.countReplies ?? Number.POSITIVE_INFINITY);
  }

  async #sendAll(messages: AsyncIterator<Message>): Promise<void> {
    const { count, lockstep, intervalMs, timeoutMs } = this.#settings;
    const { unanswered } = this.#replies;
    if (lockstep && !(await this.#awaitGreetings())) return;
    while (this.#replies.sent < count && this.#status === undefined && !this.#isEnough) {
      const next = await this.#next(messages);
      if (next?.done || this.#isEnough) return;
      if (!next) break;
      if (this.#replies.sent > 0 && intervalMs > 0) await this.#until(() => this.#isEnough, intervalMs);
      await this.#until(() => this.#connection.unsent <= highWaterMark && !this.#output.isFull);
      if (this.#isOver) break;
      this.#send(next.value);
      if (!lockstep) continue;
      const isAnswered = await this.#until(() => unanswered.count === 0 || this.#isEnough, timeoutMs);
      if (!isAnswered) return this.#reportUnanswered(this.#serverEnded ? undefined : timeoutMs);
    }
    if (this.#serverEnded && this.#replies.sent < count && !this.#isEnough) this.#reportEarlyEnd();
  }

  /** Waits for the greetings that the protocol or a flag announces. Resolves with whether they have arrived. */
  async #awaitGreetings(): Promise<boolean> {
    const { timeoutMs } = this.#settings;
    if (await this.#until(() => this.#replies.greetingsDue === 0, timeoutMs)) return true;
    this.#reportUnanswered(this.#serverEnded ? undefined : timeoutMs);
    return false;
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
    await this.#until(() => isSettled || this.#isEnough);
    if (isSettled) return await next;
    if (this.#isEnough || this.#source === 'typed') return { done: true, value: undefined };
    const { waitMs } = this.#settings;
    if (this.#serverEnded && this.#source === 'piped') await Promise.race([next, pause(inputGrace(waitMs))]);
    return isSettled ? await next : undefined;
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
    this.#beginnings.sent(frame);
    const number = this.#replies.send(message);
    this.#connection.sendFrame(Buffer.from(frame));
    this.#recording?.add('>', frame);
    this.#print(print({ direction: 'sent', number, peer: formatPeer(address), message }));
  }

  /** After the end of input. */
  async #awaitReplies(): Promise<void> {
    const { countReplies, timeoutMs } = this.#settings;
    if (!this.#countsReplies) return await this.#awaitEnd();
    const isComplete = () => (countReplies === undefined ? this.#isAnswered : this.#isEnough);
    await this.#untilSilent(isComplete, timeoutMs);
    if (!isComplete()) return this.#reportUnanswered(this.#isOver ? undefined : timeoutMs);
    if (countReplies === undefined) await this.#awaitSent();
  }

  get #isAnswered(): boolean {
    return this.#replies.unanswered.count === 0 && this.#replies.greetingsDue === 0;
  }

  /** Where nothing is expected of replies: everything must be sent, and the server must end. */
  async #awaitEnd(): Promise<void> {
    const { shutdown, waitMs, address } = this.#settings;
    if (shutdown && this.#hasFin) this.#endSide();
    // A WebSocket has no end of one side: there, a message for each that was sent ends the wait.
    const isOver = () => !this.#hasFin && this.#replies.unanswered.count === 0;
    await this.#untilSilent(isOver, waitMs);
    await this.#awaitSent();
    // Without a FIN, silence is the only end.
    if (this.#isOver || isOver() || !shutdown) return;
    const what = `was silent for ${waitMs} ms after the end of input, and did not end the connection (see --wait)`;
    this.#report(
      `${address} ${what}; ${this.#received} ${this.#received === 1 ? 'message was' : 'messages were'} received`,
    );
    this.#finish(exitStatus.timeout);
  }

  /** Waits until the connection and the server's system have taken everything, as long as they take something. */
  async #awaitSent(): Promise<void> {
    if (this.#status !== undefined) return;
    const { unsent } = this.#connection;
    const { address, waitMs } = this.#settings;
    const graceMs = inputGrace(waitMs);
    if (unsent > 0) await this.#changed.until(() => this.#connection.unsent < unsent || this.#lost > 0, graceMs);
    if (this.#connection.unsent < unsent && this.#lost === 0) return await this.#awaitSent();
    const { pending, isReset } = await this.#delivery.settled(graceMs);
    if (unsent + pending > 0) this.#report(`${address} did not take the last ${unsent + pending} bytes of the input`);
    // See pipe.ts for encrypted servers. Where replies are counted, they tell.
    else if (isReset && !this.#isEncrypted && !this.#countsReplies) report(wasReset(address));
    else return;
    this.#finish(exitStatus.failure);
  }

  /** Ends this side and receives the rest of what the server sends, unless there were as many replies as requested. */
  async #disconnect(): Promise<void> {
    this.#endSide();
    if (this.#isEnough) return;
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
      const before = this.#beginnings.receivedBytes;
      await this.#until(() => condition() || this.#beginnings.receivedBytes > before, ms);
      if (condition() || this.#isOver) return;
      if (this.#beginnings.receivedBytes > before) continue;
      if (this.#output.isEmpty && !this.#delivery.hasProgressed()) return;
      await this.#until(() => this.#output.isEmpty);
    }
  }

  #endSide(): void {
    this.#connection.end();
    this.#delivery.ended();
    this.#recording?.end('>');
  }

  /** @param withinMs the time limit that has passed; undefined if the server has ended */
  #reportUnanswered(withinMs: number | undefined): void {
    // The exchange ended for another reason, which was reported: for example, the reader of the output is gone (`| head -1`).
    if (this.#status !== undefined) return;
    const when = withinMs === undefined ? 'before the server ended' : `within ${withinMs} ms`;
    this.#report(this.#replies.formatMissing(when, this.#settings.countReplies));
    this.#finish(exitStatus.unmet);
  }

  #reportEarlyEnd(): void {
    if (this.#status !== undefined) return;
    const { sent, unanswered } = this.#replies;
    if (this.#countsReplies && unanswered.count > 0) return this.#reportUnanswered(undefined);
    const before = this.#source === 'given' ? `message ${sent + 1} was sent` : 'the end of input';
    const progress = this.#replies.formatProgress(this.#countsReplies);
    this.#report(`${this.#settings.address} ended the connection before ${before}; ${progress}`);
    this.#finish(exitStatus.failure);
  }

  #report(text: string): void {
    process.stderr.write(`yodel: ${text}\n`);
  }

  /** What else has to be said in the end: replies that report errors, and why nothing was received. */
  #judge(): void {
    const isQuiet = this.#status === exitStatus.good;
    if (this.#beginnings.isRefusedByTls) {
      this.#report(this.#beginnings.tlsHint);
      this.#finish(exitStatus.failure);
    }
    const { shutdown } = this.#settings;
    const hint = this.#serverEnded ? this.#beginnings.hint(shutdown && !this.#countsReplies) : undefined;
    if (hint !== undefined && !isQuiet) this.#report(`${this.#settings.address} ended the connection; ${hint}`);
    if (!this.#countsReplies || this.#replies.errors === 0 || isQuiet) return;
    this.#report(this.#replies.formatErrors());
    this.#finish(exitStatus.unmet);
  }

  onChunk(chunk: Uint8Array): void {
    this.#beginnings.received(chunk);
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
    if (this.#isEnough) return undefined;
    const rttMs = this.#replies.receive(message);
    return print({ direction: 'received', number: ++this.#received, peer: formatPeer(address), message, rttMs });
  }

  onDrain(): void {
    this.#changed.notify();
  }

  onEnd(): void {
    this.#recording?.end('<');
    this.#endOfServer();
  }

  onClose(error: Error | undefined, unsent: number): void {
    this.#lost = unsent;
    this.#delivery.closed();
    if (error && !this.#isOver) this.#fail(this.#beginnings.broke(error));
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
    for (const message of this.#serverEnded || this.#isEnough ? [] : this.#connection.unfinished()) {
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
