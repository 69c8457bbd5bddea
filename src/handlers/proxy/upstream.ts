/** One session of a proxy and its connection to the server behind it. */
import { type Address, hostOf } from '../../address.ts';
import { realClock, type Timer } from '../../clock.ts';
import { systemError, YodelError } from '../../errors.ts';
import { formatDuration } from '../../format/figures.ts';
import { decodeChunk } from '../../framing/framing.ts';
import type { Batch } from '../../framing/message.ts';
import { type Conversation, openConversation, type Protocol } from '../../framing/protocol.ts';
import type { Session } from '../../session/public-session.ts';
import { runtimeTransport } from '../../transport/runtime.ts';
import type { Connection, MemoryKeeper, Receiver } from '../../transport/transport.ts';
import { decodeForwarded, forward, framesFor, type Target } from '../forwarding.ts';
import { ProgressTimer } from '../progress-timer.ts';
import { Passage } from './loops.ts';
import type { ProxyObserver, ProxyOptions } from './options.ts';

/** With more unsent bytes than this to one side, the other is not read. */
const maxUnsent = 65_536;
/**
 * What a server sends whose client has been closed is read and dropped for this long after its last byte was taken, because
 * closing at once would reset the connection, which may destroy what it has not read yet. In milliseconds.
 */
const lingerMs = 1000;

/** Writes the bytes of a batch in pieces, as its faults say. */
interface Pieces {
  write(bytes: Uint8Array, write: (piece: Uint8Array) => Promise<void> | undefined): Promise<void>;
}

/** What all sessions of a proxy share. */
export interface UpstreamSettings {
  readonly address: Address;
  /** The server's framings. Undefined: those of the session. */
  readonly protocol: Protocol | undefined;
  readonly options: ProxyOptions;
}

/** One session and its connection to the server. */
export class Upstream implements Receiver {
  readonly #session: Session;
  readonly #settings: UpstreamSettings;
  readonly #observer: ProxyObserver | undefined;
  readonly #passage: Passage;
  #connection: Connection | undefined;
  /** Set with the connection. */
  #conversation: Conversation | undefined;
  #target: Target | undefined;
  #isClosed = false;
  /** The session is over: what the server still sends is dropped. */
  #isOver = false;
  #serverEnded = false;
  /** The server's bytes that wait here, and those that wait for the server, may keep memory that the client's also keep. */
  readonly keeper: MemoryKeeper;
  /** Bytes that wait for the server. */
  #unsent = 0;
  /** Runs while bytes wait for the server. */
  readonly #unread: ProgressTimer;
  /** Runs from the client's end on, while the server may still send. */
  readonly #unanswered: ProgressTimer;
  /** Runs once the session is over and the server has taken everything. */
  readonly #lingering: ProgressTimer;
  readonly #closed = Promise.withResolvers<void>();
  /** Resumes the client's messages when the server has caught up. */
  #resumeClient: (() => void) | undefined;

  constructor(session: Session, settings: UpstreamSettings) {
    this.#session = session;
    this.keeper = session.keeper;
    this.#settings = settings;
    this.#passage = new Passage(settings);
    const { observe, drainTimeout = 10_000, endTimeout = 300_000, clock = realClock } = settings.options;
    this.#observer = observe?.(session);
    this.#unread = new ProgressTimer(clock, drainTimeout, () => this.#takesNothing(drainTimeout));
    this.#unanswered = new ProgressTimer(clock, endTimeout, () => this.#saysNothing(endTimeout));
    this.#lingering = new ProgressTimer(clock, lingerMs, () => this.#connection?.release());
  }

  /** Connects. The session's messages wait until the promise resolves. */
  async connect(): Promise<void> {
    try {
      await this.#passage.enter(this.#session, this.#settings.options.clock ?? realClock);
      if (this.#session.ended) return;
      const connection = await this.#passage.connect(() => this.#dial());
      if (this.#session.ended) return this.#abandon(connection);
      this.#begin(connection);
    } catch (cause) {
      this.#fail('cannot be reached', cause);
    }
  }

  /** The session ended before its connection was there. */
  #abandon(connection: Connection): void {
    this.#passage.leave();
    connection.abort();
  }

  async #dial(): Promise<Connection> {
    const { address, options } = this.#settings;
    const { tls, connectTimeout = 10_000, transport = runtimeTransport, clock = realClock } = options;
    // Not `AbortSignal.timeout`, which would keep all of this in memory until then.
    const attempt = new AbortController();
    const { signal } = this.#session;
    const leave = () => attempt.abort(signal.reason);
    signal.addEventListener('abort', leave);
    const late = () =>
      attempt.abort(
        new YodelError(
          'YODEL_CONNECT_TIMEOUT',
          `cannot connect to ${address}: no answer within ${formatDuration(connectTimeout)}`,
        ),
      );
    let timer: Timer | undefined;
    const starting = () => {
      if (connectTimeout > 0) timer = clock.deadline(connectTimeout, late);
    };
    // Programs wait for each other, which is no fault of theirs.
    if (address.scheme !== 'exec') starting();
    try {
      const client = hostOf(this.#session.peer) ?? '';
      return await transport.connect(address, { signal: attempt.signal, tls, client, starting });
    } finally {
      timer?.cancel();
      signal.removeEventListener('abort', leave);
    }
  }

  #begin(connection: Connection): void {
    const { maxMessageLength = 16_777_216 } = this.#settings.options;
    const protocol = this.#settings.protocol ?? this.#session.protocol;
    const options = decodeForwarded(maxMessageLength);
    this.#conversation = openConversation(protocol, 'client', options, connection.framing);
    const { encoder, sent } = this.#conversation;
    this.#target = { framing: connection.framing ?? protocol.framing, encoder, sent };
    this.#connection = connection;
    this.#observer?.connected?.();
    connection.start(this);
  }

  /** Forwards messages of the client. The promise, if any, resolves when the server has caught up. */
  send(batch: Batch, pieces: Pieces | undefined): Promise<void> | undefined {
    const connection = this.#connection;
    if (!connection || !this.#target || this.#isClosed) return undefined;
    const frames = framesFor(batch, this.#session, this.#target);
    if (batch.count > 0) this.#observer?.sent?.(batch);
    return pieces ? pieces.write(frames, (piece) => this.#write(piece)) : this.#write(frames);
  }

  #write(bytes: Uint8Array): Promise<void> | undefined {
    const connection = this.#connection;
    if (!connection || this.#isClosed) return undefined;
    connection.write(bytes);
    this.#checkUnsent(connection);
    if (this.#unsent <= maxUnsent) return undefined;
    return new Promise((resolve) => {
      this.#resumeClient = resolve;
    });
  }

  /** Resolves when the server has ended too. */
  async clientEnded(): Promise<void> {
    if (!this.#connection || this.#isClosed) return;
    this.#observer?.ended?.('client');
    this.#connection.end();
    this.#unanswered.start();
    await this.#closed.promise;
  }

  /** The session is over. The promise, if any, resolves when nothing of the connection to the server is left. */
  close(error: YodelError | undefined): Promise<void> | undefined {
    this.#isOver = true;
    this.#conversation?.decoder.drop?.();
    // Something may still refer to the connection.
    this.#conversation = undefined;
    this.#unanswered.stop();
    this.#passage.leave();
    const connection = this.#connection;
    if (connection && !this.#isClosed) {
      if (error) connection.abort();
      else this.#endInOrder(connection);
    }
    this.#observer?.closed?.(error);
    return connection && this.#gone(connection);
  }

  async #gone(connection: Connection): Promise<void> {
    await this.#closed.promise;
    await connection.gone?.();
  }

  onData(chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#unanswered.progress();
    const { decoder } = this.#conversation as Conversation;
    for (const batch of decodeChunk(decoder, chunk)) {
      this.#forward(batch);
      if (batch.fault) return this.#fail('sent a message that cannot be forwarded', batch.fault);
    }
    this.#report();
  }

  onEnd(): void {
    if (this.#isOver) return;
    const last = (this.#conversation as Conversation).decoder.end();
    this.#forward(last);
    if (last.fault) return this.#fail('ended in the middle of a message', last.fault);
    this.#report();
    this.#serverEnded = true;
    this.#observer?.ended?.('server');
    this.#session.end();
  }

  onDrain(): void {
    this.#unread.progress();
    if (this.#connection) this.#checkUnsent(this.#connection);
    if (this.#isOver) this.#linger();
    if (this.#unsent <= maxUnsent / 2) this.#serverCaughtUp();
  }

  onClose(cause?: Error): void {
    this.#isClosed = true;
    for (const timer of [this.#unread, this.#unanswered, this.#lingering]) timer.stop();
    if (!this.#isOver) {
      if (cause) this.#session.abort(failure('disconnected', cause));
      else if (!this.#serverEnded) this.#session.close();
      this.#report();
      this.#serverCaughtUp();
    }
    this.#closed.resolve();
  }

  #forward(batch: Batch): void {
    if (batch.count === 0 && !batch.before) return;
    if (batch.count > 0) {
      this.#observer?.received?.(batch);
      this.#session.relayed(batch);
    }
    if (forward(batch, this.#session)) return;
    this.#connection?.pause();
    void this.#session.drained().then(() => this.#connection?.resume());
  }

  /** Notes how much waits for the server: it has `drainTimeout` to take some of it. */
  #checkUnsent(connection: Connection): void {
    this.#unsent = connection.unsent;
    if (this.#unsent > 0) this.#unread.start();
    else this.#unread.stop();
    this.#report();
  }

  /** Says what is buffered here for the session, besides the memory that its keeper knows: what waits, and an unfinished message. */
  #report(): void {
    const { memory = 0, pending = 0 } = this.#conversation?.decoder ?? {};
    this.#session.reportBuffered(this.#waiting + Math.max(memory, pending));
  }

  /** Bytes of memory that only those keep which wait for the server. */
  get #waiting(): number {
    if (this.#unsent === 0 || this.#isClosed) return 0;
    return this.#connection?.unsentMemory ?? this.#unsent;
  }

  #serverCaughtUp(): void {
    this.#resumeClient?.();
    this.#resumeClient = undefined;
  }

  #fail(problem: string, cause: unknown): void {
    this.#session.abort(failure(problem, cause));
    this.#connection?.abort();
  }

  /** The client is gone, and the server gets the rest and the end. */
  #endInOrder(connection: Connection): void {
    connection.end();
    connection.resume();
    this.#checkUnsent(connection);
    this.#linger();
  }

  #linger(): void {
    if (this.#unsent === 0) this.#lingering.start();
  }

  #takesNothing(drainTimeout: number): void {
    if (this.#isOver) return this.#connection?.release();
    const text = `it read nothing for ${formatDuration(drainTimeout)}, with ${this.#unsent} bytes pending`;
    this.#fail('takes nothing', new YodelError('YODEL_DRAIN_TIMEOUT', text));
  }

  #saysNothing(endTimeout: number): void {
    const text = `it sent nothing for ${formatDuration(endTimeout)} after the client had ended`;
    this.#fail('did not end the connection', new YodelError('YODEL_IDLE_TIMEOUT', text));
  }
}

/** The reason for the log. */
function failure(problem: string, cause: unknown): YodelError {
  const reason = systemError('its connection broke', cause);
  return new YodelError('YODEL_UPSTREAM_FAILED', `the upstream server ${problem}`, { cause: reason });
}
