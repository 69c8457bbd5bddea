/** The output of a session: buffered, and written at once. */
import { asBuffer, type Encoder, encodeLike } from '../framing/framing.ts';
import { Batch, Message } from '../framing/message.ts';
import type { SessionView, Telemetry } from '../telemetry/telemetry.ts';
import type { Connection } from '../transport/transport.ts';
import type { Reply } from './handler.ts';
import { Output } from './output.ts';
import type { SessionSettings } from './settings.ts';

/** After a text reply that differs from its message, only every 16th one is compared: comparing costs V8 10 ns. */
const compareEvery = 16;

/** Where the output is written to. */
interface Target {
  write(bytes: Uint8Array): void;
}

/** The sending side of a session. */
export class Outbox {
  readonly #connection: Connection;
  readonly #encoder: Encoder;
  readonly #settings: SessionSettings;
  readonly #output = new Output();
  /** The connection; if subscribers observe what is sent, a wrapper that notifies them. */
  readonly #target: Target;
  #messages = 0;
  /** The number of messages that the server's counters already include. */
  #messagesCounted = 0;
  #bytes = 0;
  #isBlocked = false;
  /** The shape of the peer's frames, learned from the first one. For messages that are not replies. */
  #shape: Uint8Array | undefined;
  #isShapeLearned = false;
  #waiters: (() => void)[] | undefined;
  /** The number of text replies to send before the next one is compared. */
  #uncompared = 0;

  /** @param session passed to the subscribers that observe what is sent */
  constructor(session: SessionView, connection: Connection, encoder: Encoder, settings: SessionSettings) {
    this.#connection = connection;
    this.#encoder = encoder;
    this.#settings = settings;
    const { telemetry } = settings;
    this.#target = telemetry.observesSent ? observedTarget(session, connection, telemetry) : connection;
  }

  /** Messages appended so far. */
  get messages(): number {
    return this.#messages;
  }

  /** Bytes passed to the connection so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that the operating system has not taken yet. */
  get unsent(): number {
    return this.#connection.unsent + this.#output.size;
  }

  /** Whether so much is buffered that it should be written before more is appended. */
  get isFull(): boolean {
    return this.#output.size >= this.#settings.limits.highWaterMark;
  }

  /** Whether more than the high-water mark is pending. */
  get isBehind(): boolean {
    return this.unsent > this.#settings.limits.highWaterMark;
  }

  /** Whether the peer fell behind and has not caught up yet, so that no more replies should be produced. */
  get blocked(): boolean {
    return this.#isBlocked;
  }

  /** Learns from the first batch how the peer's frames begin or end. */
  learnFrom(batch: Batch): void {
    if (this.#isShapeLearned) return;
    this.#isShapeLearned = true;
    const { first } = batch;
    this.#shape = first && this.#encoder.shapeOf(first);
  }

  /**
   * Appends a handler's reply, in the shape of the message it answers.
   *
   * @throws TypeError when it is not a reply
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
   */
  reply(reply: Reply, to: Message | undefined): void {
    if (typeof reply === 'string') {
      this.#replyText(reply, to);
    } else if (reply === undefined || reply === null) {
      return;
    } else if (reply instanceof Uint8Array || reply instanceof Message) {
      this.append(reply, this.#shapeOf(to));
    } else if (reply instanceof Batch) {
      this.#output.appendBatch(reply);
      this.#messages += reply.count;
    } else if (Array.isArray(reply)) {
      for (const one of reply as readonly Reply[]) this.reply(one, to);
    } else throw new TypeError(`a handler cannot reply with ${describe(reply)}; ${replyForms}`);
  }

  /**
   * Appends a message or batch that a handler sends by itself. It is written later in this turn of the event loop, and may
   * come from another session whose chunk has been overwritten by then, so borrowed bytes are copied.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
   */
  send(message: string | Uint8Array | Message | Batch, to: Message | undefined): void {
    if (message instanceof Batch) this.reply(message.copied(), undefined);
    else this.append(message instanceof Message ? message.kept() : message, this.#shapeOf(to));
  }

  /** Appends a message. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  append(message: string | Uint8Array | Message, shape?: Uint8Array): void {
    if (message instanceof Message) this.#output.appendFrame(message);
    else this.#output.appendMessage(this.#encoder, message, shape ?? this.#shape);
    this.#messages++;
  }

  /** Appends bytes as they are. They must not change. @param messages the number of messages that end in them */
  appendBytes(bytes: Uint8Array, messages: number): void {
    this.#output.append(asBuffer(bytes), 0, bytes.length);
    this.#messages += messages;
  }

  /** The frame that {@link append} would append. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  frameOf(message: string | Uint8Array | Message, to: Message | undefined): Uint8Array {
    if (message instanceof Message) return message.kept().frame;
    return encodeLike(this.#encoder, message, this.#shapeOf(to) ?? this.#shape);
  }

  /** Writes what is buffered. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` when a reply turns out not to be a message */
  flush(): void {
    if (this.#messages !== this.#messagesCounted) this.#countMessages();
    if (this.#output.size === 0) return;
    const written = this.#output.writeTo(this.#target);
    this.#bytes += written;
    this.#settings.telemetry.counters.bytesSent += written;
    if (this.#connection.unsent === 0) this.#output.reuse();
    if (this.isBehind) this.#isBlocked = true;
    // The connection reports only bytes that had to wait.
    else if (!this.#isBlocked) this.wakeWaiters();
  }

  /** The peer has read something. Returns whether it has caught up. */
  peerRead(): boolean {
    // Half of the mark, so that a slow peer costs one pause per half mark and not one per message.
    if (this.#connection.unsent > this.#settings.limits.highWaterMark / 2) return false;
    this.#isBlocked = false;
    this.wakeWaiters();
    return true;
  }

  /** Resolves when the peer has caught up or is gone. */
  drained(): Promise<void> {
    if (!this.isBehind) return Promise.resolve();
    this.#waiters ??= [];
    const waiters = this.#waiters;
    return new Promise((resolve) => waiters.push(resolve));
  }

  /** Wakes the {@link drained} waiters: the peer caught up or is gone. */
  wakeWaiters(): void {
    if (!this.#waiters) return;
    const waiters = this.#waiters;
    this.#waiters = undefined;
    for (const resolve of waiters) resolve();
  }

  /** Discards what is buffered. */
  clear(): void {
    this.#countMessages();
    this.#output.clear();
  }

  /** The shape that a reply copies from the message it answers. */
  #shapeOf(to: Message | undefined): Uint8Array | undefined {
    return to && this.#encoder.shapeOf(to);
  }

  /** Appends a text in the shape of the message it answers, or that message's own frame if the text is the same. */
  #replyText(text: string, to: Message | undefined): void {
    this.#messages++;
    if (this.#uncompared > 0) this.#uncompared--;
    else if (to?.isFrameOf(text)) return to.place(this.#output);
    else this.#uncompared = compareEvery - 1;
    this.#output.appendText(this.#encoder, text, this.#shapeOf(to) ?? this.#shape);
  }

  #countMessages(): void {
    this.#settings.telemetry.counters.messagesSent += this.#messages - this.#messagesCounted;
    this.#messagesCounted = this.#messages;
  }
}

/** Notifies the subscribers of what is written to the connection. */
function observedTarget(session: SessionView, connection: Connection, telemetry: Telemetry): Target {
  return {
    write(bytes) {
      telemetry.emit('sent', session, bytes);
      connection.write(bytes);
    },
  };
}

const replyForms = 'it takes text, bytes, a message, a batch, an array of these, or nothing';

function describe(value: unknown): string {
  return `${typeof value === 'object' ? 'an object' : String(value)} (${typeof value})`;
}
