/** What a session has to send: gathered, and written in one go. */
import { asBuffer, type Encoder, encodeLike } from '../framing/framing.ts';
import { Batch, Message } from '../framing/message.ts';
import type { SessionView, Telemetry } from '../telemetry/telemetry.ts';
import type { Connection } from '../transport/transport.ts';
import type { Reply } from './handler.ts';
import { Output } from './output.ts';
import type { SessionSettings } from './settings.ts';

/** Once a text reply was not the text that it answers, only one in this many is compared: comparing costs V8 10 ns. */
const comparedOneIn = 16;

/** Takes what is written. */
interface Target {
  write(bytes: Uint8Array): void;
}

/** The sending side of a session. */
export class Outbox {
  readonly #connection: Connection;
  readonly #encoder: Encoder;
  readonly #settings: SessionSettings;
  readonly #output = new Output();
  /** The connection, or the subscribers that see what is sent to it. */
  readonly #target: Target;
  #messages = 0;
  /** How many of them the counters of all sessions include. */
  #messagesCounted = 0;
  #bytes = 0;
  #isBlocked = false;
  /** What the peer's frames look like, learned from the first one: for messages that answer none. */
  #shape: Uint8Array | undefined;
  #isShapeLearned = false;
  #waiters: (() => void)[] | undefined;
  /** How many more text replies are not compared with what they answer. */
  #uncompared = 0;

  /** @param session whose subscribers see what is sent */
  constructor(session: SessionView, connection: Connection, encoder: Encoder, settings: SessionSettings) {
    this.#connection = connection;
    this.#encoder = encoder;
    this.#settings = settings;
    const { telemetry } = settings;
    this.#target = telemetry.overheard ? overheard(session, connection, telemetry) : connection;
  }

  /** Messages appended so far. */
  get messages(): number {
    return this.#messages;
  }

  /** Bytes handed to the connection so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that the operating system has not taken yet. */
  get unsent(): number {
    return this.#connection.unsent + this.#output.size;
  }

  /** Whether enough is gathered to write it before more is made. */
  get isFull(): boolean {
    return this.#output.size >= this.#settings.limits.highWaterMark;
  }

  /** Whether more waits for the peer than the high-water mark. */
  get isBehind(): boolean {
    return this.unsent > this.#settings.limits.highWaterMark;
  }

  /** Whether the peer fell behind and has not caught up yet: nothing more should be made for it. */
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
   * Appends a message or batch that a handler sends on its own. It leaves later in this turn of the event loop, and may
   * come from another session, whose chunk is gone by then: borrowed bytes are copied.
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

  /** Appends bytes as they are. They must not change. @param messages how many messages end in them */
  appendBytes(bytes: Uint8Array, messages: number): void {
    this.#output.append(asBuffer(bytes), 0, bytes.length);
    this.#messages += messages;
  }

  /** The frame that {@link append} would append. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  frameOf(message: string | Uint8Array | Message, to: Message | undefined): Uint8Array {
    if (message instanceof Message) return message.kept().frame;
    return encodeLike(this.#encoder, message, this.#shapeOf(to) ?? this.#shape);
  }

  /** Writes what is gathered. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` when a reply turns out not to be a message */
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
    // Half of the mark, so that a slow peer costs a pause per half a mark and not one per message.
    if (this.#connection.unsent > this.#settings.limits.highWaterMark / 2) return false;
    this.#isBlocked = false;
    this.wakeWaiters();
    return true;
  }

  /** Resolves when the peer is no longer behind, or gone. */
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

  /** Discards what is gathered. */
  clear(): void {
    this.#countMessages();
    this.#output.clear();
  }

  /** What a reply takes over from the message that it answers. */
  #shapeOf(to: Message | undefined): Uint8Array | undefined {
    return to && this.#encoder.shapeOf(to);
  }

  /** Appends a text, in the shape of the message it answers; as that message's own frame, if it is its text. */
  #replyText(text: string, to: Message | undefined): void {
    this.#messages++;
    if (this.#uncompared > 0) this.#uncompared--;
    else if (to?.isFrameOf(text)) return to.place(this.#output);
    else this.#uncompared = comparedOneIn - 1;
    this.#output.appendText(this.#encoder, text, this.#shapeOf(to) ?? this.#shape);
  }

  #countMessages(): void {
    this.#settings.telemetry.counters.messagesSent += this.#messages - this.#messagesCounted;
    this.#messagesCounted = this.#messages;
  }
}

/** Shows the subscribers what is written to the connection. */
function overheard(session: SessionView, connection: Connection, telemetry: Telemetry): Target {
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
