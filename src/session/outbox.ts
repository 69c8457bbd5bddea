/** What a session has to send: gathered, written in one go, held back while its peer does not take it. */
import { asBuffer, type Encoder, encodeLike } from '../framing/framing.ts';
import { Batch, Message } from '../framing/message.ts';
import type { Counters } from '../telemetry/telemetry.ts';
import type { Connection } from '../transport/transport.ts';
import type { Reply } from './handler.ts';
import { Output } from './output.ts';

/** Where a handler's texts are not those it got, one in so many is compared all the same: to compare takes V8 10 ns. */
const comparedOneIn = 16;

type SentCounters = Pick<Counters, 'messagesSent' | 'bytesSent'>;

/** The sending side of a session. */
export class Outbox {
  readonly #connection: Connection;
  readonly #encoder: Encoder;
  readonly #highWaterMark: number;
  readonly #total: SentCounters;
  readonly #output = new Output();
  #messages = 0;
  /** How many of them the counters of all sessions have already. */
  #messagesTold = 0;
  #bytes = 0;
  #blocked = false;
  /** How the peer's frames look, learned from the first one: for what is sent without a message to answer. */
  #shape: Uint8Array | undefined;
  #shapeLearned = false;
  #waiters: (() => void)[] = [];
  /** How many text replies are not compared with what they answer, for the last one was something else. */
  #uncompared = 0;

  /** Where bytes are written to: the connection, or somebody who looks at them on their way to it. */
  readonly #target: { write(bytes: Uint8Array): void };

  /**
   * @param total where all sessions count together
   * @param overhear is shown what is sent
   */
  constructor(
    connection: Connection,
    encoder: Encoder,
    highWaterMark: number,
    total: SentCounters,
    overhear?: (bytes: Uint8Array) => void,
  ) {
    this.#connection = connection;
    const heard = (bytes: Uint8Array) => {
      overhear?.(bytes);
      connection.write(bytes);
    };
    this.#target = overhear ? { write: heard } : connection;
    this.#encoder = encoder;
    this.#highWaterMark = highWaterMark;
    this.#total = total;
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

  /** Whether so much is gathered that it should leave before more is made. */
  get isFull(): boolean {
    return this.#output.size >= this.#highWaterMark;
  }

  /** Whether more waits for the peer than it may: nothing more should be made for it. */
  get isBehind(): boolean {
    return this.unsent > this.#highWaterMark;
  }

  /** Whether the peer has fallen behind and has not caught up yet. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Looks how the peer's frames end or begin. */
  learnFrom(batch: Batch): void {
    if (this.#shapeLearned) return;
    this.#shapeLearned = true;
    const { first } = batch;
    this.#shape = first && this.#encoder.shapeOf(first);
  }

  /**
   * Appends a handler's reply, in the shape of the message it answers.
   *
   * @throws TypeError when it is no reply
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
   */
  reply(reply: Reply, to: Message | undefined): void {
    if (typeof reply === 'string') {
      this.#replyText(reply, to);
    } else if (reply === undefined || reply === null) {
      return;
    } else if (reply instanceof Uint8Array || reply instanceof Message) {
      this.append(reply, to && this.#encoder.shapeOf(to));
    } else if (reply instanceof Batch) {
      this.#output.appendBatch(reply);
      this.#messages += reply.count;
    } else if (Array.isArray(reply)) {
      for (const one of reply as readonly Reply[]) this.reply(one, to);
    } else throw new TypeError(`a handler cannot reply with ${describe(reply)}; ${replyForms}`);
  }

  /** Appends a message. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  append(message: string | Uint8Array | Message, shape?: Uint8Array): void {
    if (message instanceof Message) this.#output.appendFrame(message);
    else this.#output.appendMessage(this.#encoder, message, shape ?? this.#shape);
    this.#messages++;
  }

  /** Appends bytes as they are, in which so many messages end. They must not change. */
  appendBytes(bytes: Uint8Array, messages: number): void {
    this.#output.append(asBuffer(bytes), 0, bytes.length);
    this.#messages += messages;
  }

  /** The frame that {@link append} would append. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  frameOf(message: string | Uint8Array | Message, to: Message | undefined): Uint8Array {
    if (message instanceof Message) return message.kept().frame;
    return encodeLike(this.#encoder, message, this.shapeOf(to) ?? this.#shape);
  }

  /** What a reply takes over from the message that it answers. */
  shapeOf(to: Message | undefined): Uint8Array | undefined {
    return to && this.#encoder.shapeOf(to);
  }

  /** Writes what is gathered. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` when a reply is found to be no message */
  flush(): void {
    if (this.#messages !== this.#messagesTold) this.#tellMessages();
    if (this.#output.size === 0) return;
    const written = this.#output.writeTo(this.#target);
    this.#bytes += written;
    this.#total.bytesSent += written;
    if (this.#connection.unsent === 0) this.#output.reuse();
    if (this.isBehind) this.#blocked = true;
    // What never had to wait is not told by onDrain.
    else if (!this.#blocked) this.letWaitersOn();
  }

  /** Appends a text, in the shape of the message it answers; as that message's own frame, if it is its text. */
  #replyText(text: string, to: Message | undefined): void {
    this.#messages++;
    if (this.#uncompared > 0) this.#uncompared--;
    else if (to?.isFrameOf(text)) return to.place(this.#output);
    else this.#uncompared = comparedOneIn - 1;
    const shape = to && this.#encoder.shapeOf(to);
    this.#output.appendText(this.#encoder, text, shape ?? this.#shape);
  }

  #tellMessages(): void {
    this.#total.messagesSent += this.#messages - this.#messagesTold;
    this.#messagesTold = this.#messages;
  }

  /** The peer has taken something. True when it has caught up. */
  taken(): boolean {
    // Half of the mark, so that a slow peer costs one pause per half a mark and not one per message.
    if (this.#connection.unsent > this.#highWaterMark / 2) return false;
    this.#blocked = false;
    this.letWaitersOn();
    return true;
  }

  /** Resolves when the peer is not behind any more. */
  caughtUp(): Promise<void> {
    return this.isBehind ? new Promise((resolve) => this.#waiters.push(resolve)) : Promise.resolve();
  }

  /** Resolves for all who wait for the peer: it has caught up, or never will. */
  letWaitersOn(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  /** Forgets what is gathered. */
  clear(): void {
    this.#tellMessages();
    this.#output.clear();
  }
}

const replyForms = 'it takes text, bytes, a message, a batch, an array of these, or nothing';

function describe(value: unknown): string {
  return `${typeof value === 'object' ? 'an object' : String(value)} (${typeof value})`;
}
