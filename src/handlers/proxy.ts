/**
 * Connects each session to another server, and forwards messages in both directions: byte for byte where both sides have the
 * same framing, else encoded again. A proxy says nothing itself: whatever goes wrong, the client's connection is closed or
 * reset, and only the log and `telemetry` have the reason.
 *
 *     client  --batch-->  session  --frames-->  upstream  ->  server
 *     client  <--send---  session  <--batch---  upstream  <-  server
 *
 * When one side ends, the end is forwarded, and the other side may continue to send. While one side does not read,
 * yodel does not read from the other side.
 */
import { type Address, parseAddress } from '../address.ts';
import { realClock, type Timer } from '../clock.ts';
import { systemError, YodelError } from '../errors.ts';
import { decodeChunk } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import { type Conversation, openConversation, type Protocol } from '../framing/protocol.ts';
import type { WireOptions } from '../framing/wire.ts';
import { longestDuration } from '../options.ts';
import { childDescriptors } from '../process/child-descriptors.ts';
import type { HandlerObject, Session } from '../session/handler.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type { Connection, Receiver, TlsOptions, Transport } from '../transport/transport.ts';
import { takeShape, writesShapes } from './faults/shape.ts';
import { decodeForwarded, forward, framesFor, otherProtocol, type Target } from './forwarding.ts';

/** The two sides of a proxied conversation. */
export type ProxySide = 'client' | 'server';

/**
 * Observes everything that is forwarded in one session, in order, for example to record it. Every method is optional and
 * called synchronously before the bytes are forwarded: it must be fast and must not throw. The bytes of a batch are borrowed
 * for the call: copy what you keep.
 */
export interface ProxyObserver {
  /** The connection to the server is open. */
  connected?(): void;
  /** The client sent these messages to the server. */
  sent?(batch: Batch): void;
  /** The client received these messages from the server. */
  received?(batch: Batch): void;
  /** One side has ended. */
  ended?(side: ProxySide): void;
  /** The session is closed; no call follows. Without an error, both sides ended normally. */
  closed?(error: YodelError | undefined): void;
}

/**
 * Options of {@link proxy}. Times are milliseconds, sizes are bytes. `framing`, `replyFraming` and `protocol` are those of the
 * server behind the proxy; default: as in front of it.
 */
export interface ProxyOptions extends Omit<WireOptions, 'encoding'> {
  /** Which certificates to trust at a `tls://` address. Default: those that the runtime trusts, for the address's host. */
  readonly tls?: TlsOptions | undefined;
  /** How long connecting may take. Default 10 s. */
  readonly connectTimeout?: number | undefined;
  /** How long the server may send nothing after the client has ended, before the session is aborted. Default 300 s. */
  readonly endTimeout?: number | undefined;
  /** The longest message that the server may send. Default 16 MiB. */
  readonly maxMessageLength?: number | undefined;
  /** Called when a session opens, before anything is forwarded: returns its observer, if any. */
  readonly observe?: ((session: Session) => ProxyObserver | undefined) | undefined;
  /** @internal For tests. */
  readonly transport?: Transport | undefined;
}

/** With more unsent bytes than this to one side, the other is not read. */
const maxUnsent = 65_536;
/**
 * A server whose client has been closed still gets what was sent to it before the end, unless it reads nothing for this long; and
 * what it sends itself is read and dropped for this long after its last byte was taken, because closing at once would reset the
 * connection, which may destroy what it has not read yet. In milliseconds.
 */
const closing = { unreadMs: 10_000, lingerMs: 1000 };

/**
 * A handler that forwards messages between its clients and the server at `address`, which may be of any scheme.
 *
 * @throws YodelError `YODEL_INVALID_ADDRESS`, `YODEL_INVALID_OPTION`
 */
export function proxy(address: Address | string | number, options: ProxyOptions = {}): HandlerObject {
  const to = typeof address === 'object' ? address : parseAddress(address);
  const protocol = otherProtocol(options);
  const upstreams = new WeakMap<Session, Upstream>();
  const handler: HandlerObject & { readonly [writesShapes]: true } = {
    [writesShapes]: true,
    forwarding: 'transparent',
    limitsItself: true,
    descriptors: to.scheme === 'exec' ? childDescriptors : 1,
    open(session) {
      const upstream = new Upstream(session, to, protocol ?? session.protocol, options);
      upstreams.set(session, upstream);
      return upstream.connect();
    },
    batch: (batch, session) => upstreams.get(session)?.send(batch),
    end: (session) => upstreams.get(session)?.clientEnded(),
    close: (session, error) => upstreams.get(session)?.close(error),
  };
  return handler;
}

/** One session and its connection to the server. */
class Upstream implements Receiver {
  readonly #session: Session;
  readonly #address: Address;
  readonly #options: ProxyOptions;
  readonly #observer: ProxyObserver | undefined;
  readonly #protocol: Protocol;
  #connection: Connection | undefined;
  /** Set with the connection. */
  #conversation: Conversation | undefined;
  #target: Target | undefined;
  #isClosed = false;
  /** The session is over: what the server still sends is dropped. */
  #isOver = false;
  #serverEnded = false;
  #timer: Timer | undefined;
  readonly #closed = Promise.withResolvers<void>();
  /** Resumes the client's messages when the server has caught up. */
  #resumeClient: (() => void) | undefined;

  constructor(session: Session, address: Address, protocol: Protocol, options: ProxyOptions) {
    this.#session = session;
    this.#address = address;
    this.#options = options;
    this.#protocol = protocol;
    this.#observer = options.observe?.(session);
  }

  /** Connects. The session's messages wait until the promise resolves. */
  async connect(): Promise<void> {
    const { tls, connectTimeout = 10_000, transport = runtimeTransport } = this.#options;
    const timeout = AbortSignal.timeout(connectTimeout || longestDuration);
    const signal = AbortSignal.any([this.#session.signal, timeout]);
    try {
      const connection = await transport.connect(this.#address, { signal, tls });
      if (this.#session.ended) return connection.abort();
      this.#begin(connection);
    } catch (cause) {
      const timeoutError = new YodelError(
        'YODEL_CONNECT_TIMEOUT',
        `cannot connect to ${this.#address}: no answer within ${connectTimeout} ms`,
      );
      this.#session.abort(failure('cannot be reached', timeout.aborted ? timeoutError : cause));
    }
  }

  #begin(connection: Connection): void {
    const { maxMessageLength = 16_777_216 } = this.#options;
    const protocol = this.#protocol;
    const options = decodeForwarded(maxMessageLength);
    this.#conversation = openConversation(protocol, 'client', options, connection.framing);
    const { encoder, sent } = this.#conversation;
    this.#target = { framing: connection.framing ?? protocol.framing, encoder, sent };
    this.#connection = connection;
    this.#observer?.connected?.();
    connection.start(this);
  }

  /** Forwards messages of the client. The promise, if any, resolves when the server has caught up. */
  send(batch: Batch): Promise<void> | undefined {
    const connection = this.#connection;
    if (!connection || !this.#target || this.#isClosed) return undefined;
    const frames = framesFor(batch, this.#session, this.#target);
    if (batch.count > 0) this.#observer?.sent?.(batch);
    const shape = takeShape(this.#session);
    return shape ? shape.write(frames, (piece) => this.#write(piece)) : this.#write(frames);
  }

  #write(bytes: Uint8Array): Promise<void> | undefined {
    const connection = this.#connection;
    if (!connection || this.#isClosed) return undefined;
    connection.write(bytes);
    if (connection.unsent <= maxUnsent) return undefined;
    return new Promise((resolve) => {
      this.#resumeClient = resolve;
    });
  }

  /** Resolves when the server has ended too. */
  async clientEnded(): Promise<void> {
    if (!this.#connection || this.#isClosed) return;
    this.#observer?.ended?.('client');
    this.#connection.end();
    this.#startEndTimer();
    await this.#closed.promise;
  }

  close(error: YodelError | undefined): void {
    this.#timer?.cancel();
    this.#isOver = true;
    if (this.#connection && !this.#isClosed) {
      if (error) this.#connection.abort();
      else this.#endInOrder(this.#connection);
    }
    this.#observer?.closed?.(error);
  }

  onData(chunk: Uint8Array): void {
    if (this.#isOver) return;
    if (this.#timer) this.#startEndTimer();
    const { decoder } = this.#conversation as Conversation;
    for (const batch of decodeChunk(decoder, chunk)) {
      this.#forward(batch);
      if (batch.fault) return this.#fail('sent a message that cannot be forwarded', batch.fault);
    }
  }

  onEnd(): void {
    if (this.#isOver) return;
    const last = (this.#conversation as Conversation).decoder.end();
    this.#forward(last);
    if (last.fault) return this.#fail('ended in the middle of a message', last.fault);
    this.#serverEnded = true;
    this.#observer?.ended?.('server');
    this.#session.end();
  }

  onDrain(): void {
    if (this.#isOver) this.#startClosingTimer();
    if ((this.#connection?.unsent ?? 0) <= maxUnsent / 2) this.#serverCaughtUp();
  }

  onClose(cause?: Error): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    if (this.#isOver) return;
    if (cause) this.#session.abort(failure('disconnected', cause));
    else if (!this.#serverEnded) this.#session.close();
    this.#serverCaughtUp();
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
    this.#startClosingTimer();
  }

  #startClosingTimer(): void {
    this.#timer?.cancel();
    const isUnread = (this.#connection?.unsent ?? 0) > 0;
    const ms = isUnread ? closing.unreadMs : closing.lingerMs;
    this.#timer = realClock.deadline(ms, () => this.#connection?.release());
  }

  #startEndTimer(): void {
    const { endTimeout = 300_000 } = this.#options;
    this.#timer?.cancel();
    if (endTimeout === 0) return;
    this.#timer = realClock.deadline(endTimeout, () => {
      const text = `it sent nothing for ${endTimeout / 1000} s after the client had ended`;
      this.#session.abort(failure('did not end the connection', new YodelError('YODEL_IDLE_TIMEOUT', text)));
    });
  }
}

/** The reason for the log. */
function failure(problem: string, cause: unknown): YodelError {
  const reason = systemError('its connection broke', cause);
  return new YodelError('YODEL_UPSTREAM_FAILED', `the upstream server ${problem}`, { cause: reason });
}
