/**
 * Connects each session to another server, and passes messages on, both ways, byte for byte.
 *
 *     client  --batch-->  session  --frames-->  upstream  ->  server
 *     client  <--send---  session  <--batch---  upstream  <-  server
 *
 * Whoever ends its side first, the other side is told so and may go on. Whoever does not take what is sent to it is not
 * sent more: the other one is not read meanwhile.
 */
import { type Address, parseAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import { type Decoder, decodeChunk } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import { longestDuration } from '../options.ts';
import type { HandlerObject, Session } from '../session/handler.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type { Connection, Receiver, TlsOptions, Transport } from '../transport/transport.ts';
import { framesOf, passedOn, sendOn } from './frames.ts';

/** The two ends of a conversation that passes through. */
export type ProxySide = 'client' | 'server';

/**
 * Sees all that passes in one session, in the order in which it passes: for a recorder. Every method is optional, and is
 * called synchronously before the bytes go on: it must be quick, and must not throw. The bytes of a batch are borrowed for
 * the call: copy what you keep.
 */
export interface ProxyObserver {
  /** The server has been connected to. */
  connected?(): void;
  /** The client sent these messages to the server. */
  sent?(batch: Batch): void;
  /** The client received these messages from the server. */
  received?(batch: Batch): void;
  /** One side sends no more. */
  ended?(side: ProxySide): void;
  /** The session is over; no call follows. Without an error it ended as both sides wished. */
  closed?(error: YodelError | undefined): void;
}

/** What {@link proxy} takes. Times are milliseconds, sizes are bytes. */
export interface ProxyOptions {
  /** Whom to trust at a `tls://` address. Default: whom the runtime trusts, and the name of the address's host. */
  readonly tls?: TlsOptions | undefined;
  /** How long connecting may take. Default 10 s. */
  readonly connectTimeout?: number | undefined;
  /** When the client has ended, how long the server may send nothing before the session is broken off. Default 300 s. */
  readonly endTimeout?: number | undefined;
  /** The longest message that the server may send. Default 16 MiB. */
  readonly maxMessageLength?: number | undefined;
  /** Called when a session begins, before anything passes: gives who shall see what does. */
  readonly observe?: ((session: Session) => ProxyObserver | undefined) | undefined;
  /** @internal For tests. */
  readonly transport?: Transport | undefined;
}

/** Above so many bytes that one side has not taken, the other is not read. */
const mostWaiting = 65_536;

/**
 * A handler that stands between its clients and the server at `address` (`tcp://`, `tls://`, `unix://`).
 *
 * @throws YodelError `YODEL_INVALID_ADDRESS`
 */
export function proxy(address: Address | string | number, options: ProxyOptions = {}): HandlerObject {
  const to = typeof address === 'object' ? address : parseAddress(address);
  if (to.scheme === 'ws' || to.scheme === 'wss') {
    throw new YodelError('YODEL_INVALID_ADDRESS', `a proxy speaks TCP, TLS and Unix sockets, not WebSocket as ${to}`);
  }
  const passages = new WeakMap<Session, Passage>();
  return {
    open(session) {
      const passage = new Passage(session, to, options);
      passages.set(session, passage);
      return passage.connect();
    },
    batch: (batch, session) => passages.get(session)?.pass(batch),
    end: (session) => passages.get(session)?.clientEnded(),
    close: (session, error) => passages.get(session)?.close(error),
  };
}

/** One session, and the connection behind it. */
class Passage implements Receiver {
  readonly #session: Session;
  readonly #address: Address;
  readonly #options: ProxyOptions;
  readonly #observer: ProxyObserver | undefined;
  readonly #decoder: Decoder;
  #connection: Connection | undefined;
  #isClosed = false;
  #serverEnded = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #closed = Promise.withResolvers<void>();
  /** Waits for the server to take what was sent to it. */
  #caughtUp: (() => void) | undefined;

  constructor(session: Session, address: Address, options: ProxyOptions) {
    this.#session = session;
    this.#address = address;
    this.#options = options;
    this.#observer = options.observe?.(session);
    const { maxMessageLength = 16_777_216 } = options;
    this.#decoder = session.framing.createDecoder(passedOn(maxMessageLength));
  }

  /** The session's messages wait meanwhile. */
  async connect(): Promise<void> {
    const { tls, connectTimeout = 10_000, transport = runtimeTransport } = this.#options;
    const tooLate = AbortSignal.timeout(connectTimeout || longestDuration);
    const signal = AbortSignal.any([this.#session.signal, tooLate]);
    try {
      const connection = await transport.connect(this.#address, { signal, tls });
      if (this.#session.ended) return connection.abort();
      this.#connection = connection;
      this.#observer?.connected?.();
      connection.start(this);
    } catch (cause) {
      const late = new YodelError(
        'YODEL_CONNECT_TIMEOUT',
        `cannot connect to ${this.#address}: no answer within ${connectTimeout} ms`,
      );
      this.#session.close(failure('cannot be reached', tooLate.aborted ? late : cause));
    }
  }

  /** Passes messages of the client on. The promise, if there is one, is for when more can be. */
  pass(batch: Batch): Promise<void> | undefined {
    const connection = this.#connection;
    if (!connection || this.#isClosed) return undefined;
    const frames = framesOf(batch, this.#session);
    this.#observer?.sent?.(batch);
    connection.write(frames);
    if (connection.unsent <= mostWaiting) return undefined;
    return new Promise((resolve) => {
      this.#caughtUp = resolve;
    });
  }

  /** Resolves when the server has ended too. */
  async clientEnded(): Promise<void> {
    if (!this.#connection || this.#isClosed) return;
    this.#observer?.ended?.('client');
    this.#connection.end();
    this.#waitForServer();
    await this.#closed.promise;
  }

  close(error: YodelError | undefined): void {
    clearTimeout(this.#timer);
    if (!this.#isClosed) {
      if (error) this.#connection?.abort();
      else this.#connection?.release();
    }
    this.#observer?.closed?.(error);
  }

  onData(chunk: Uint8Array): void {
    if (this.#timer) this.#waitForServer();
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      this.#sendOn(batch);
      if (batch.fault) return this.#breakOff('sent what cannot be passed on', batch.fault);
    }
  }

  onEnd(): void {
    const last = this.#decoder.end();
    this.#sendOn(last);
    if (last.fault) return this.#breakOff('ended in the middle of a message', last.fault);
    this.#serverEnded = true;
    this.#observer?.ended?.('server');
    this.#session.end();
  }

  onDrain(): void {
    if ((this.#connection?.unsent ?? 0) <= mostWaiting / 2) this.#letOn();
  }

  onClose(cause?: Error): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    if (cause) this.#session.abort(failure('broke off', cause));
    else if (!this.#serverEnded) this.#session.close();
    this.#letOn();
    this.#closed.resolve();
  }

  #sendOn(batch: Batch): void {
    if (batch.count === 0) return;
    this.#observer?.received?.(batch);
    if (sendOn(batch, this.#session)) return;
    this.#connection?.pause();
    void this.#session.drained().then(() => this.#connection?.resume());
  }

  #letOn(): void {
    this.#caughtUp?.();
    this.#caughtUp = undefined;
  }

  #breakOff(what: string, cause: unknown): void {
    this.#session.close(failure(what, cause));
    this.#connection?.abort();
  }

  #waitForServer(): void {
    const { endTimeout = 300_000 } = this.#options;
    clearTimeout(this.#timer);
    if (endTimeout === 0) return;
    this.#timer = setTimeout(() => {
      const text = `nothing came for ${endTimeout / 1000} s after the client had ended`;
      this.#session.abort(failure('does not end', new YodelError('YODEL_IDLE_TIMEOUT', text)));
    }, endTimeout);
  }
}

/** The peer is not told what lies behind: that is in the cause. */
function failure(what: string, cause: unknown): YodelError {
  const why = systemError('its connection broke', cause);
  return new YodelError('YODEL_UPSTREAM_FAILED', `the server behind this one ${what}`, { cause: why });
}
