/**
 * The output of a session: buffered, and written at once.
 *
 * A message in a frame of this connection's framing is sent as that frame. Any other is encoded again, from its payload and
 * header. If it cannot be, such as a line feed in `lines`, it is not sent, and that is the failure of this delivery only.
 */

import type { Reply } from '../codec/reply.ts';
import { textForPeer } from '../error-for-peer.ts';
import { YodelError } from '../errors.ts';
import type { ByteOutput } from '../framing/frames.ts';
import { asBuffer, type Encoder, encodeLike, type Framing, isSameFraming, shapeFor } from '../framing/framing.ts';
import { Batch, isBatch, isMessage, Message } from '../framing/message.ts';
import { refuseBinary } from '../framing/utf8.ts';
import type { SessionView } from '../telemetry/telemetry.ts';
import type { Connection } from '../transport/transport.ts';
import { notAReply, sendError } from './error-reply.ts';
import { observedOutput, targetOf } from './observed.ts';
import { Output } from './output.ts';
import { SentCounts } from './sent-counts.ts';
import type { SessionSettings } from './settings.ts';
import { type OutboxWire, type Wire, wireOf } from './wire.ts';

/** After a text reply that differs from its message, only every 16th one is compared: comparing costs V8 10 ns. */
const compareEvery = 16;

/** The sending side of a session. */
export class Outbox {
  readonly #connection: Connection;
  readonly #framing: Framing;
  #encoder: Encoder;
  /** Whether replies have the framing of the messages that they answer. */
  readonly #isSymmetric: boolean;
  /** Whether frames are sent as they are, whatever the peer's own look like. */
  readonly #isExact: boolean;
  /** Whether the peer may expect messages to be UTF-8. */
  readonly #isText: boolean;
  /** What others' frames must look like to be sent here. Computed when the shape is known. */
  #wire: Wire | undefined;
  /** Whether what is written was sent to a room. */
  #writesShared = false;
  /** Whether rooms wait for this session's messages to slow down: nothing is handled meanwhile. */
  isHeld = false;
  readonly #session: SessionView;
  readonly #settings: SessionSettings;
  readonly #output = new Output();
  #sent: OutboxWire['sent'];
  /** Where frames are appended as they are. */
  #frames: ByteOutput;
  readonly #counts: SentCounts;
  #isBlocked = false;
  /** The shape of the peer's frames, learned from the first one. For messages that are not replies. */
  #shape: Uint8Array | undefined;
  #isShapeLearned = false;
  /** The peer's last batch, if its message lacks an ending: it may be sent back as it is. */
  #last: Batch | undefined;
  /** The ending that what was appended last lacks: whatever follows needs it. */
  #ending: Uint8Array | undefined;
  #waiters: (() => void)[] | undefined;
  /** The number of text replies to send before the next one is compared. */
  #uncompared = 0;

  constructor(session: SessionView, connection: Connection, wire: OutboxWire, settings: SessionSettings) {
    const { framing, encoder, received, sent } = wire;
    this.#session = session;
    this.#connection = connection;
    this.#framing = framing;
    this.#encoder = encoder;
    this.#isSymmetric = isSameFraming(received, framing);
    this.#isExact = settings.handler.forwarding !== undefined;
    this.#isText = settings.decoderOptions.encoding === 'utf8' && !connection.framing;
    this.#settings = settings;
    this.#counts = new SentCounts(settings.telemetry.counters);
    this.#sent = sent;
    this.#frames = sent ? observedOutput(this.#output, sent) : this.#output;
  }

  /** Encodes with another encoder from now on. */
  restart({ encoder, sent }: Pick<OutboxWire, 'encoder' | 'sent'>): void {
    this.#encoder = encoder;
    this.#wire = undefined;
    this.#sent = sent;
    this.#frames = sent ? observedOutput(this.#output, sent) : this.#output;
  }

  /** Messages appended so far. */
  get messages(): number {
    return this.#counts.messages;
  }

  /** Bytes passed to the connection so far. */
  get bytes(): number {
    return this.#counts.bytes;
  }

  /** Bytes that the operating system has taken. */
  get bytesSent(): number {
    this.#counts.countBytes(this.#connection.unsent);
    return this.#counts.bytesSent;
  }

  /** Bytes that were never sent, once the output is discarded. */
  get lost(): number | undefined {
    return this.#counts.lost;
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
    return this.#isBlocked || this.isHeld;
  }

  /** How to encode messages for this and similar connections; undefined if frames depend on what was said before. */
  get wire(): Wire | undefined {
    if (this.#sent) return undefined;
    this.#wire ??= wireOf({ framing: this.#framing, encoder: this.#encoder, shape: this.#shape, isText: this.#isText });
    return this.#wire;
  }

  /** Learns from the first batch how the peer's frames begin or end. */
  learnFrom(batch: Batch): void {
    if (this.#lacksEnding(batch)) this.#last = batch;
    if (this.#isShapeLearned) return;
    this.#isShapeLearned = true;
    const { first } = batch;
    if (first && this.#encoder.sharesShape) this.#shape = this.#encoder.shapeOf(first);
    this.#wire = undefined;
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
    } else if (reply instanceof Batch) {
      this.#replyBatch(reply, to);
    } else if (reply instanceof Uint8Array) {
      this.append(reply, this.#shapeOf(to));
    } else if (isMessage(reply)) {
      this.#replyMessage(reply, to);
    } else if (isBatch(reply)) {
      this.#replyBatch(reply, to);
    } else if (Array.isArray(reply)) {
      for (const one of reply as readonly Reply[]) this.reply(one, to);
    } else throw notAReply(reply);
  }

  /**
   * Appends a message or batch that a handler sends by itself. It is written later in this turn of the event loop, and may
   * come from another session whose chunk has been overwritten by then, so borrowed bytes are copied.
   *
   * @returns why a message was not sent, if it cannot be encoded; of a batch, the other messages are sent
   */
  send(message: string | Uint8Array | Message | Batch, to: Message | undefined): YodelError | undefined {
    // An earlier reply that cannot be encoded is not this message's failure.
    this.#output.encodeTexts();
    if (isBatch(message)) return this.#sendBatch(message, to);
    try {
      if (isMessage(message)) this.#appendMessage(message, this.#shapeOf(to));
      else this.append(message, this.#shapeOf(to));
      return undefined;
    } catch (thrown) {
      return this.#undelivered(thrown);
    }
  }

  /** Appends a message. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  append(message: string | Uint8Array, shape?: Uint8Array): void {
    const usual = shape ?? this.#shape;
    if (this.#ending) this.#appendEnding();
    if (this.#sent) this.appendBytes(encodeLike(this.#framing, message, usual, this.#encoder), 1);
    else {
      this.#output.appendMessage(this.#encoder, message, usual);
      this.#counts.messages++;
    }
  }

  /** Encodes the replies so far. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` when one turns out not to be a message */
  encodeReplies(): void {
    this.#output.encodeTexts();
  }

  /** Appends an error reply, if the framing can express one. @param text what the peer may know */
  sendError(text: string, code: YodelError['code']): void {
    sendError(this.#encoder, { text, code }, this.#settings, (reply) =>
      typeof reply === 'string' ? this.append(reply) : this.#appendMessage(reply, undefined),
    );
  }

  /** Appends what the last frame lacks, so that whole frames may follow. */
  completeFrame(): void {
    if (this.#ending) this.#appendEnding();
  }

  /** Appends whole frames of this connection's framing, which members of a room share. Nothing else may be buffered. */
  appendShared(frames: Buffer, messages: number): void {
    this.appendBytes(frames, messages);
    this.#writesShared = frames.length > 0;
  }

  /** Appends bytes as they are. They must not change. @param messages the number of messages that end in them */
  appendBytes(bytes: Uint8Array, messages: number): void {
    this.#frames.append(asBuffer(bytes), 0, bytes.length);
    this.#counts.messages += messages;
  }

  /** The frame that {@link send} would append. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  frameOf(message: string | Uint8Array | Message, to: Message | undefined): Uint8Array {
    return encodeLike(this.#framing, message, this.#shapeOf(to) ?? this.#shape, this.#encoder);
  }

  /** Writes what is buffered. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` when a reply turns out not to be a message */
  flush(): void {
    this.#counts.countMessages();
    if (this.#output.size === 0) return;
    const written = this.#output.writeTo(
      targetOf(this.#session, this.#connection, this.#settings.telemetry, this.#writesShared),
    );
    this.#writesShared = false;
    this.#counts.bytes += written;
    const { unsent } = this.#connection;
    this.#counts.countBytes(unsent);
    if (unsent === 0) this.#output.reuse();
    if (this.isBehind) this.#isBlocked = true;
    // The connection reports only bytes that had to wait.
    else if (!this.#isBlocked) this.wakeWaiters();
  }

  /** The peer has read something. Returns whether it has caught up. */
  peerRead(): boolean {
    const { unsent } = this.#connection;
    this.#counts.countBytes(unsent);
    // Half of the mark, so that a slow peer costs one pause per half mark and not one per message.
    if (unsent > this.#settings.limits.highWaterMark / 2) return false;
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

  /** Discards what is buffered. Call it before the connection is aborted. */
  clear(): void {
    this.#counts.countMessages();
    this.#counts.countBytes(this.#connection.unsent);
    this.#counts.lost ??= this.unsent;
    this.#output.clear();
  }

  /** The shape that a reply copies from the message it answers. */
  #shapeOf(to: Message | undefined): Uint8Array | undefined {
    return to && this.#encoder.shapeOf(to);
  }

  /** Appends a text in the shape of the message it answers, or that message's own frame if the text is the same. */
  #replyText(text: string, to: Message | undefined): void {
    if (this.#sent) return this.append(text, this.#shapeOf(to));
    if (this.#ending) this.#appendEnding();
    this.#counts.messages++;
    if (this.#uncompared > 0) this.#uncompared--;
    else if (this.#isSymmetric && to?.isFrameOf(text)) return to.place(this.#output);
    else this.#uncompared = compareEvery - 1;
    this.#output.appendText(this.#encoder, text, this.#shapeOf(to) ?? this.#shape);
  }

  /** A reply with the message that it answers is sent as that arrived, even a last line without ending. */
  #replyMessage(message: Message, to: Message | undefined): void {
    // Where frames depend on what was said before, even its own may not suit it any more.
    const isOwn = message === to && !this.#sent;
    if (message instanceof Message && this.#isFrame(message) && (isOwn || this.#suits(message))) {
      this.#place(message);
      if (this.#last && !this.#hasEnding(message)) this.#ending = this.#endingOf(message);
    } else this.#replyForeign(message, to);
  }

  #replyBatch(batch: Batch, to: Message | undefined): void {
    const canPlace = !this.#sent && (batch === this.#last || !this.#lacksEnding(batch));
    if (batch instanceof Batch && this.#isFrame(batch) && canPlace) {
      if (this.#ending) this.#appendEnding();
      batch.place(this.#frames);
      this.#counts.messages += batch.count;
      if (batch === this.#last) this.#ending = this.#endingOf(batch.first as Message);
    } else for (const message of batch) this.#replyMessage(message, to);
  }

  /** Replies with a message that is encoded again. If it cannot be, the peer receives the reason in its place. */
  #replyForeign(message: Message, to: Message | undefined): void {
    const error = this.send(message, to);
    if (error) this.sendError(`the reply cannot be sent: ${textForPeer(error)}`, error.code);
  }

  #sendBatch(batch: Batch, to: Message | undefined): YodelError | undefined {
    if (this.#isExact && batch instanceof Batch && this.#isFrame(batch)) {
      if (batch.before) this.#frames.append(batch.before, 0, batch.before.length);
      batch.copied().place(this.#frames);
      this.#counts.messages += batch.count;
      return undefined;
    }
    let first: YodelError | undefined;
    for (const message of batch) {
      const error = this.send(message, to);
      first ??= error;
    }
    return first;
  }

  /** Appends a message that may have come from anywhere. @param shape of the message that it answers */
  #appendMessage(message: Message, shape: Uint8Array | undefined): void {
    if (message instanceof Message && this.#isFrame(message) && (this.#isExact || this.#suits(message)))
      return this.#place(message.kept());
    const { bytes } = message;
    if (this.#isText && message.kind !== 'text') refuseBinary(bytes);
    this.append(bytes, shapeFor(this.#encoder, message, shape ?? this.#shape));
  }

  /** Appends a message's frame as it is. */
  #place(message: Message): void {
    if (this.#ending) this.#appendEnding();
    message.place(this.#frames);
    this.#counts.messages++;
  }

  /** What a message lacks that arrived without its ending. */
  #endingOf({ bytes, frame }: Message): Uint8Array {
    return this.#encoder.encode(bytes, this.#shape).subarray(frame.length);
  }

  #appendEnding(): void {
    const ending = asBuffer(this.#ending as Uint8Array);
    this.#ending = undefined;
    this.#frames.append(ending, 0, ending.length);
  }

  /** Whether it is a last message without the ending that others have. */
  #lacksEnding(batch: Batch): boolean {
    if (!batch.isAssembled || this.#sent) return false;
    const { first } = batch;
    return first !== undefined && this.#isFrame(first) && !this.#hasEnding(first);
  }

  /** Whether its frame is complete: at least a peer with frames like this one can read it. */
  #hasEnding(message: Message): boolean {
    const encoder = this.#encoder;
    return encoder.suits?.(message, encoder.shapeOf(message)) ?? true;
  }

  /** Whether it arrived in frames of the framing that is sent here. */
  #isFrame({ framing }: Message | Batch): boolean {
    return isSameFraming(framing, this.#framing);
  }

  /** Whether the frame may be sent as it is. */
  #suits(message: Message): boolean {
    return this.#encoder.suits?.(message, this.#shape) ?? true;
  }

  /** Reports a message that cannot be encoded for this peer. Throws everything else. */
  #undelivered(thrown: unknown): YodelError {
    if (!(thrown instanceof YodelError) || thrown.code !== 'YODEL_UNENCODABLE_MESSAGE') throw thrown;
    this.#settings.telemetry.undelivered(this.#session, thrown, 1);
    return thrown;
  }
}
