/** The session that a handler with faults sees: what it sends and what it receives passes through a link each. */

import type { Clock } from '../../clock.ts';
import type { AnyCodec } from '../../codec/codec.ts';
import type { Reply } from '../../codec/reply.ts';
import { encodeValue } from '../../codec/values.ts';
import { YodelError } from '../../errors.ts';
import { isSameFraming } from '../../framing/framing.ts';
import { type Batch, isBatch, isMessage, type Message } from '../../framing/message.ts';
import { ownCopy } from '../../framing/slices.ts';
import { ForwardedSession } from '../../session/forwarded-session.ts';
import { isPromise } from '../../session/handler.ts';
import type { Session } from '../../session/public-session.ts';
import { bytesOf, type Content, payloadOf, withoutCodec } from './content.ts';
import { flipBits } from './corruption.ts';
import type { CountedFault, Faults } from './fault-set.ts';
import { Link, type LinkEnds } from './link.ts';
import { type Shape, shapeOfRequest } from './shape.ts';
import {
  corruptedRequest,
  encodable,
  exactRepliesTo,
  plainSize,
  repliesOf,
  requestsOf,
  sizeOf,
  splitBatch,
  splitBytes,
  type Unit,
  unitOf,
} from './unit.ts';

/** With more unsent bytes than this, the peer is behind. */
const maxUnsent = 65_536;

/** Faults that change no message: they are counted, but would only repeat every message in a log. */
const unreported: readonly string[] = ['latency', 'bandwidth', 'chunk'];

/** Takes a request that has passed its faults. */
export type TakeRequest = (content: Message | Batch, session: FaultySession) => Reply | Promise<Reply>;

/** What a session with faults knows of its handler. */
export interface FaultySessionOptions {
  readonly clock: Clock;
  /** Encodes what the handler sends by itself. Undefined: it sends messages. */
  readonly codec: AnyCodec | undefined;
  /** Whether the handler's frames are sent exactly as they are, with the bytes between them. */
  readonly isExact: boolean;
  /** Whether the handler writes requests in their shape. */
  readonly writesShapes: boolean;
}

/** A session whose input and output have faults. */
export class FaultySession extends ForwardedSession {
  /** The shape of the request that the handler is being called with. See {@link shapeOfRequest}. */
  [shapeOfRequest]: Shape | undefined;
  /** What the handler threw for a request that it received late, when the session's own call had ended. */
  thrown: { readonly error: unknown } | undefined;
  readonly requests: Link;
  readonly #replies: Link;
  readonly #faults: Faults;
  readonly #codec: AnyCodec | undefined;
  /** Where requests go that have passed their faults: the last call's `next`. */
  #take: TakeRequest | undefined;
  readonly #isExact: boolean;
  readonly #writesShapes: boolean;
  /** Bytes that the handler buffers itself. */
  #handlerBytes = 0;
  /** Calls of the handler whose reply is still pending. */
  #pendingCalls = 0;
  /** Called when all replies have been passed on and none is pending. */
  #whenDone: (() => void)[] = [];
  #outputEnded = false;
  #isClosing = false;

  constructor(session: Session, faults: Faults, options: FaultySessionOptions) {
    super(session);
    this.#faults = faults;
    const { clock } = options;
    this.#codec = options.codec;
    this.#isExact = options.isExact;
    this.#writesShapes = options.writesShapes;
    const stream = { session: session.id, seed: faults.seed };
    this.requests = new Link({ ...stream, direction: 'request' }, faults, clock, this.#endsOfRequests());
    this.#replies = new Link({ ...stream, direction: 'reply' }, faults, clock, this.#endsOfReplies());
  }

  override get ended(): boolean {
    return this.inner.ended || this.#outputEnded || this.#isClosing || this.#replies.isStopped;
  }

  override send(value: string | Uint8Array | Message | Batch, to?: Message): boolean | YodelError {
    if (this.ended) return false;
    const message = this.#encoded(value);
    if (message instanceof YodelError) return message;
    if (this.#replies.isPassive) {
      this.#skip(message);
      return this.inner.send(message, to);
    }
    this.#queue(message, to);
    return this.#sendReplies();
  }

  override encode(value: string | Uint8Array | Message, to?: Message): Uint8Array {
    return this.#frameOf({ content: this.#codec ? encodeValue(this.#codec, value) : value, to, written: undefined });
  }

  override write(bytes: Uint8Array, messages = 0): boolean {
    if (this.ended) return false;
    if (this.#replies.isPassive) {
      this.#replies.skip(1, bytes.length);
      return this.inner.write(bytes, messages);
    }
    this.#replies.add({ content: ownCopy(bytes), to: undefined, written: messages });
    return this.#sendReplies();
  }

  override reportBuffered(bytes: number): void {
    this.#handlerBytes = bytes;
    this.#reportBuffered();
  }

  override async drained(): Promise<void> {
    await this.#replies.room();
    await this.inner.drained();
  }

  override end(): void {
    if (this.#outputEnded) return;
    this.#outputEnded = true;
    this.#finishWhenDone(() => this.inner.end());
  }

  override close(error?: YodelError): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#finishWhenDone(() => this.inner.close(error));
  }

  override abort(error?: YodelError): void {
    this.stop();
    this.inner.abort(error);
  }

  /**
   * Calls the handler and passes on its reply. Returns what the session itself should send: the reply, if replies have no
   * faults now. The promise, if any, resolves when the next message may be handled. If the handler fails, it rejects after the
   * earlier replies were passed on.
   *
   * @param isLate whether the session does not wait for this call, so that nothing may be left to it
   */
  handle(call: () => Reply | Promise<Reply>, to?: Message, isLate = false): Reply | Promise<Reply> {
    if (this.#isClosing || this.#replies.isStopped) return undefined;
    this.#pendingCalls++;
    try {
      const reply = call();
      if (!isPromise(reply)) return this.#reply(reply, to, isLate);
      return reply.then(
        (settled) => this.#reply(settled, to, isLate),
        (thrown: unknown) => this.#failed(thrown),
      );
    } catch (thrown) {
      return this.#failed(thrown);
    }
  }

  /** Takes messages of the peer, for the handler. The promise, if any, resolves when more may come. */
  receive(received: Message | Batch, take: TakeRequest): Reply | Promise<Reply> {
    this.#take = take;
    if (this.#isClosing || this.#replies.isStopped) return undefined;
    const { requests } = this;
    if (requests.isPassive) {
      requests.skip(isBatch(received) ? received.count : 1, sizeOf(received));
      return this.#handleRequest(received, false);
    }
    if (isBatch(received)) requests.addAll(received, requestsOf);
    else requests.add(unitOf((received as Message).copy()));
    requests.send();
    return requests.isFull ? requests.room() : undefined;
  }

  /** Resolves when all replies have been passed on. */
  repliesEmptied(): Promise<void> {
    return this.#replies.emptied();
  }

  /** Resolves when the end of the requests may be passed on. */
  requestsEnded(): Promise<void> {
    return this.requests.ended(this.#isShuttingDown);
  }

  /** Resolves when the end of the replies may be passed on. */
  repliesEnded(): Promise<void> {
    return this.#replies.ended(this.#isShuttingDown);
  }

  get #isShuttingDown(): boolean {
    return this.inner.endedBy === 'shutdown';
  }

  /** Passes on nothing more. */
  stop(): void {
    this.requests.stop();
    this.#replies.stop();
  }

  #handleRequest(content: Message | Batch, isLate: boolean): Reply | Promise<Reply> {
    return this.handle(() => this.#take?.(content, this), isMessage(content) ? content : undefined, isLate);
  }

  #endsOfRequests(): LinkEnds {
    return {
      ...this.#commonEnds('request'),
      sizeOf: plainSize,
      corrupted: (unit, positions) => corruptedRequest(unit, positions, this.framing),
      split: this.framing.name === 'raw' ? splitBatch : undefined,
      deliver: (unit, shape) => this.#deliverRequest(unit.content as Message | Batch, shape),
      emptied: () => undefined,
    };
  }

  #endsOfReplies(): LinkEnds {
    return {
      ...this.#commonEnds('reply'),
      sizeOf: (unit) => this.#sizeOfReply(unit),
      corrupted: (unit, positions) => this.#corruptedReply(unit, positions),
      split: this.replyFraming.name === 'raw' ? splitBytes : undefined,
      deliver: (unit, shape) => (shape ? this.#writeShaped(unit, shape) : this.#sendReply(unit)),
      emptied: () => this.#finishIfDone(),
    };
  }

  #commonEnds(direction: 'request' | 'reply'): Pick<LinkEnds, 'finish' | 'report' | 'failed' | 'changed'> {
    return {
      finish: (how, by) => this.#finish(how, by),
      report: (fault, message) => {
        fault.applied++;
        const { name } = fault;
        const { kind } = fault.fault.action;
        if (unreported.includes(kind)) return;
        this.#faults.observe?.(this.inner, { name, kind, direction, message });
      },
      failed: (error) => {
        this.thrown = { error };
        this.stop();
        const text = 'the handler failed on the server';
        this.inner.close(new YodelError('YODEL_HANDLER_FAILED', text, { cause: error }));
      },
      changed: () => this.#reportBuffered(),
    };
  }

  #reportBuffered(): void {
    this.inner.reportBuffered(this.#handlerBytes + this.requests.pending + this.#replies.pending);
  }

  #finish(how: 'reset' | 'close', { name }: CountedFault): void {
    this.stop();
    if (how === 'close') this.inner.close();
    else this.inner.abort(new YodelError('YODEL_FAULT', `reset on purpose by the fault ${name}`));
  }

  // Requests.

  #deliverRequest(content: Message | Batch, shape: Shape | undefined): Promise<void> | undefined {
    if (shape) return this.#deliverShaped(content, shape);
    const taken = this.#handleRequest(content, true);
    return isPromise(taken) ? taken.then(() => undefined) : undefined;
  }

  async #deliverShaped(content: Message | Batch, shape: Shape): Promise<void> {
    if (this.#writesShapes) {
      this[shapeOfRequest] = shape;
      await this.#handleRequest(content, true);
      this[shapeOfRequest] = undefined;
      return;
    }
    // The handler takes whole messages: it gets each when its last byte has arrived, if that is not beyond the limit.
    const frame = isBatch(content) ? Buffer.concat(content.slices) : content.frame;
    let isWhole = frame.length === 0;
    await shape.write(frame, (_piece, isLast) => {
      isWhole = isLast;
      return undefined;
    });
    if (isWhole && !this.requests.isStopped) await this.#handleRequest(content, true);
  }

  // Replies.

  /** Adds a reply to its link. */
  #queue(reply: Reply, to: Message | undefined): void {
    if (reply === undefined || reply === null) return;
    const add = (content: Content, answered = to?.kept()) =>
      this.#replies.add({ content, to: answered, written: undefined });
    if (Array.isArray(reply)) for (const one of reply as readonly Reply[]) this.#queue(one, to);
    else if (isBatch(reply) && this.#isExact) this.#replies.addAll(reply, exactRepliesTo(to?.kept()));
    else if (isBatch(reply)) this.#replies.addAll(reply, repliesOf);
    else if (isMessage(reply)) add(reply.kept(), reply === to ? reply.kept() : to?.kept());
    // The session itself rejects what is not a reply.
    else add(reply as string | Uint8Array);
  }

  /** What is sent for a value, or why it cannot be. */
  #encoded(value: string | Uint8Array | Message | Batch): Message | Batch | string | Uint8Array | YodelError {
    if (!this.#codec) return value;
    try {
      return withoutCodec(encodeValue(this.#codec, value), this.#codec);
    } catch (thrown) {
      this.inner.undelivered(thrown as YodelError);
      return thrown as YodelError;
    }
  }

  #sendReplies(): boolean {
    this.#replies.send();
    return !this.#replies.isFull && this.inner.unsent <= maxUnsent;
  }

  #sendReply({ content, to, written }: Unit): Promise<void> | undefined {
    const isTaken =
      written === undefined
        ? this.inner.send(withoutCodec(content, this.#codec), to) !== false
        : this.inner.write(content as Uint8Array, written);
    return isTaken || this.inner.ended ? undefined : this.inner.drained();
  }

  #writeShaped(unit: Unit, shape: Shape): Promise<void> {
    const messages = unit.written ?? (isBatch(unit.content) ? unit.content.count : 1);
    return shape.write(this.#frameOf(unit), (piece, isLast) => {
      const isTaken = this.inner.write(piece, isLast ? messages : 0);
      return isTaken || this.inner.ended ? undefined : this.inner.drained();
    });
  }

  #frameOf({ content, to, written }: Unit): Uint8Array {
    if (written !== undefined) return content as Uint8Array;
    if (!isBatch(content)) return this.inner.encode(withoutCodec(content, this.#codec) as Message, to);
    if (isSameFraming(content.framing, this.replyFraming)) return bytesOf(content);
    return content.first ? this.inner.encode(content.first, to) : new Uint8Array(0);
  }

  #sizeOfReply(unit: Unit): number {
    return encodable(() => this.#frameOf(unit))?.length ?? plainSize(unit);
  }

  #corruptedReply(unit: Unit, positions: readonly number[]): Unit {
    const { content, written } = unit;
    if (written !== undefined) return { ...unit, content: flipBits(content as Uint8Array, positions) };
    const message = isBatch(content) ? content.first : isMessage(content) ? content : undefined;
    const to = message ?? unit.to;
    const bytes = flipBits(
      payloadOf(content),
      positions,
      (flipped) => encodable(() => this.#frameOf({ content: flipped, to, written: undefined })) !== undefined,
    );
    return { content: bytes, to, written };
  }

  #reply(reply: Reply, to: Message | undefined, isLate: boolean): Reply | Promise<void> {
    this.#pendingCalls--;
    if (this.inner.ended || this.#outputEnded || this.#replies.isStopped) return undefined;
    if (!isLate && !this.#isClosing && this.#replies.isPassive) {
      this.#skip(reply);
      return reply;
    }
    this.#queue(reply, to);
    return this.#sendReplies() ? undefined : this.drained();
  }

  /** Counts replies that do not stop in the link. */
  #skip(reply: Reply): void {
    if (reply === undefined || reply === null) return;
    if (Array.isArray(reply)) for (const one of reply as readonly Reply[]) this.#skip(one);
    else {
      const content = reply as string | Uint8Array | Message | Batch;
      this.#replies.skip(isBatch(content) ? content.count : 1, sizeOf(content));
    }
  }

  async #failed(thrown: unknown): Promise<never> {
    this.#pendingCalls--;
    await this.repliesEmptied();
    throw thrown;
  }

  #finishWhenDone(finish: () => void): void {
    this.#whenDone.push(finish);
    this.#replies.send();
  }

  #finishIfDone(): void {
    if (this.#pendingCalls > 0 || this.#whenDone.length === 0) return;
    const finishing = this.#whenDone.splice(0);
    void this.repliesEnded().then(() => {
      for (const finish of finishing) finish();
    });
  }
}
