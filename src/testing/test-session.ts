/** A client in the hands of a test, and the session that it has with a handler. */
import type { Codec, IsNone, MaybeCodec, Received } from '../codec/codec.ts';
import { YodelError } from '../errors.ts';
import { decodeChunk, encodeLike } from '../framing/framing.ts';
import { Message } from '../framing/message.ts';
import { type Conversation, openConversation } from '../framing/protocol.ts';
import type { Session } from '../session/public-session.ts';
import type { MemoryTransport } from '../transport/memory.ts';
import type { Connection } from '../transport/transport.ts';
import type { FakeClock } from './fake-clock.ts';
import { Peer } from './peer.ts';
import { settled, untilTrue } from './turns.ts';

/** What a test sends: with a codec the values that the handler receives, else text and bytes; in any case messages. */
export type Said<C extends MaybeCodec> = [C] extends [undefined]
  ? string | Uint8Array | Message
  : Received<C> | Message;

/** What a test receives: with a codec the values that the handler sends, else text. */
export type Heard<C extends MaybeCodec> =
  IsNone<C> extends true ? string : [C] extends [Codec<infer _In, infer Out>] ? Out : string;

/** @internal The server's session, which has more than handlers see. */
export interface ServedSession {
  readonly isIdle: boolean;
  readonly outcome: { readonly error: YodelError | undefined } | undefined;
}

/** @internal What a session needs of its server. */
export interface SessionOwner {
  /** What a message is for the test: text, or a value of the codec. */
  decode(message: Message): unknown;
  /** The message of what the test sends. */
  encode(said: unknown): string | Uint8Array | Message;
  readonly clock: FakeClock;
  readonly transport: MemoryTransport;
  /** What its handler threw after the end, so that no reply tells. */
  readonly lateFailures: unknown[];
  /** Resolves with the reason once the session is closed. */
  readonly closed: Promise<YodelError | undefined>;
  /** Ends what was started for the session. */
  close(): Promise<void>;
}

/** How much a test receives in one message. */
const maxMessageLength = 67_108_864;

/**
 * A client of a handler, in the hands of a test; {@link testSession} and {@link TestServer.connect} create one. The session on the other
 * side is a real one: framing, limits, order, errors and time-outs are those of a server.
 */
export class TestSession<Data = Record<string, unknown>, C extends MaybeCodec = undefined> implements AsyncDisposable {
  /** The session, as the handler sees it. */
  readonly session: Session<Data, C>;
  /** The client's end of the connection, in bytes: for what is no message, and for clients that read slowly. */
  readonly peer: Peer;
  readonly #connection: Connection;
  readonly #served: ServedSession;
  readonly #owner: SessionOwner;
  readonly #conversation: Conversation;
  /** Messages that were not taken yet, each with its number. */
  #unread: { readonly number: number; readonly message: Message }[] = [];
  #arrived = 0;
  /** The last call that sends and waits: the next one begins after it. */
  #last: Promise<unknown> = Promise.resolve();
  #isFailureSeen = false;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(connection: Connection, session: Session<Data, C> & ServedSession, owner: SessionOwner) {
    this.session = session;
    this.#served = session;
    this.#owner = owner;
    this.#connection = connection;
    const options = { maxMessageLength, onTooLong: 'close', encoding: 'binary' } as const;
    this.#conversation = openConversation(session.protocol, 'client', options, connection.framing);
    this.peer = new Peer(connection, {
      received: (chunk) => this.#receive(chunk),
      ended: () => this.#peerEnded(),
    });
  }

  /** The time of the server. */
  get clock(): FakeClock {
    return this.#owner.clock;
  }

  /** `session.data`. */
  get data(): Data {
    return this.session.data;
  }

  /** The messages that have arrived and were not taken yet, the oldest first: what {@link next} would return. */
  get unread(): Heard<C>[] {
    return this.#unread.map(({ message }) => this.#valueOf(message));
  }

  /**
   * Resolves when the session is closed, with the reason: what the handler's `close` receives, undefined if both sides ended normally.
   */
  get closed(): Promise<YodelError | undefined> {
    this.#isFailureSeen = true;
    return this.#owner.closed;
  }

  /**
   * Sends a message, waits until the handler is done with it, and resolves with the reply; undefined if there was none. Messages that
   * arrived before, such as a greeting, are not the reply: {@link next} returns them. Calls wait for each other.
   *
   * @throws in the promise: what the handler threw, or the error that ended the session; an `Error` if several messages arrived, which
   *   {@link next} returns then, see {@link exchange}; `YODEL_CONNECTION_CLOSED` if the session is over
   */
  say(message: Said<C>): Promise<Heard<C> | undefined> {
    return this.#afterLast(async () => {
      const from = await this.#sendAndWait([message]);
      const replies = this.#unread.filter(({ number }) => number >= from);
      if (replies.length > 1) throw new Error(severalText(replies.map((one) => one.message)));
      return this.#take(from)[0];
    });
  }

  /**
   * Sends messages in one chunk, waits until the handler is done with them, and resolves with everything that arrived meanwhile.
   *
   * @throws in the promise: what the handler threw, or the error that ended the session; what arrived before is returned by
   *   {@link next}. `YODEL_CONNECTION_CLOSED` if the session is over
   */
  exchange(...messages: Said<C>[]): Promise<Heard<C>[]> {
    return this.#afterLast(async () => this.#take(await this.#sendAndWait(messages)));
  }

  /**
   * Sends messages in one chunk, and waits for nothing. {@link next} returns the replies.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`; `YODEL_CONNECTION_CLOSED` if the session is over
   */
  send(...messages: Said<C>[]): void {
    this.#checkOpen();
    const frames = messages.map((message) => this.#frameOf(message));
    for (const frame of frames) this.#conversation.sent?.(frame);
    this.peer.write(Buffer.concat(frames));
  }

  /**
   * Resolves with the oldest message that was not taken yet, once there is one.
   *
   * @throws in the promise: the error that ended the session, or `YODEL_CONNECTION_CLOSED`, if no message is left
   */
  next(): Promise<Heard<C>> {
    return handled(this.nextMessage().then((message) => this.#valueOf(message)));
  }

  /** As {@link next}, but the message itself: its bytes, header and kind. */
  nextMessage(): Promise<Message> {
    return handled(this.#nextMessage());
  }

  /** Resolves when all that was sent has arrived, and the handler is done with it. */
  async idle(): Promise<void> {
    do {
      await settled();
      await untilTrue(() => this.#isIdle());
      await settled(3);
    } while (!this.#isIdle());
  }

  /**
   * Ends this side (FIN), waits until the handler is done, and resolves with everything that arrived meanwhile.
   *
   * @throws in the promise: what the handler threw, or the error that ended the session
   */
  end(): Promise<Heard<C>[]> {
    return this.#afterLast(async () => {
      const from = this.#arrived;
      this.#connection.end();
      await this.idle();
      this.#throwFailure();
      return this.#take(from);
    });
  }

  /** Breaks the connection, as a client that crashes: the session sees a reset. Lets everything run that is ready. */
  async abort(): Promise<void> {
    this.#connection.abort();
    await settled();
  }

  /**
   * Ends the session and, for {@link testSession}, its server. A handler that is not done is aborted by its `signal`.
   *
   * @throws in the promise: what the handler threw, if no other call has thrown it
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await settled();
    const { outcome } = this.#served;
    if (!this.peer.closed) {
      this.#connection.end();
      await settled();
      if (!this.peer.closed) await this.abort();
    }
    await this.#owner.close();
    const failure = outcome?.error ?? this.#served.outcome?.error;
    if (failure?.code === 'YODEL_HANDLER_FAILED' && !this.#isFailureSeen) throw failure.cause;
    if (this.#owner.lateFailures.length > 0) throw this.#owner.lateFailures[0];
  }

  async #sendAndWait(messages: readonly Said<C>[]): Promise<number> {
    await settled(1);
    const from = this.#arrived;
    this.send(...messages);
    await this.idle();
    this.#throwFailure();
    return from;
  }

  /** One after another, because each takes what arrives while it waits. */
  #afterLast<Result>(call: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(call);
    this.#last = result.catch(() => {});
    return handled(result);
  }

  async #nextMessage(): Promise<Message> {
    for (;;) {
      const first = this.#unread.shift();
      if (first) return first.message;
      if (this.peer.closed || this.peer.ended) {
        await settled();
        this.#throwFailure();
        throw endedError();
      }
      await this.peer.changed();
    }
  }

  #isIdle(): boolean {
    return this.peer.closed || (this.#served.isIdle && this.#owner.transport.isQuiet);
  }

  #checkOpen(): void {
    if (!this.#served.outcome && !this.peer.closed) return;
    this.#throwFailure();
    throw endedError();
  }

  #throwFailure(): void {
    const error = this.#served.outcome?.error;
    if (!error) return;
    this.#isFailureSeen = true;
    throw error.code === 'YODEL_HANDLER_FAILED' ? error.cause : error;
  }

  #take(from: number): Heard<C>[] {
    const taken = this.#unread.filter(({ number }) => number >= from);
    this.#unread = this.#unread.filter(({ number }) => number < from);
    return taken.map(({ message }) => this.#valueOf(message));
  }

  #receive(chunk: Uint8Array): void {
    for (const batch of decodeChunk(this.#conversation.decoder, chunk)) {
      for (const message of batch) this.#unread.push({ number: this.#arrived++, message: message.copy() });
    }
  }

  /** An unfinished last message is one, in framings that allow it. If the session is over, this side ends as well. */
  #peerEnded(): void {
    for (const message of this.#conversation.decoder.end()) {
      this.#unread.push({ number: this.#arrived++, message: message.copy() });
    }
    if (this.#served.outcome) this.#connection.end();
  }

  #frameOf(message: Said<C>): Uint8Array {
    const payload = this.#owner.encode(message);
    const framing = this.#connection.framing ?? this.session.protocol.framing;
    // A message of text, where the framing distinguishes that: a text message of WebSocket.
    const sent = typeof payload === 'string' ? Message.of(payload) : payload;
    return encodeLike(framing, sent, undefined, this.#conversation.encoder);
  }

  #valueOf(message: Message): Heard<C> {
    return this.#owner.decode(message) as Heard<C>;
  }
}

/** A test may look at a promise only after it was rejected, such as after `clock.advance()`: that is no unhandled rejection. */
function handled<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {});
  return promise;
}

function endedError(): YodelError {
  return new YodelError('YODEL_CONNECTION_CLOSED', 'the session is over');
}

function severalText(messages: readonly Message[]): string {
  const texts = messages.slice(0, 10).map(({ text }) => JSON.stringify(text));
  return `say() expects one reply, but ${messages.length} messages arrived: ${texts.join(', ')}; use exchange()`;
}
