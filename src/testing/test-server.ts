/** A server in memory, for tests of handlers. */
import { type Address, parseAddress, type SocketAddress, WebSocketAddress } from '../address.ts';
import type { Codec, MaybeCodec } from '../codec/codec.ts';
import { decodeMessage, encodeValue } from '../codec/values.ts';
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { ServeOptions, WithData } from '../server/options.ts';
import type { Server } from '../server/server.ts';
import type { Handler } from '../session/handler.ts';
import type { Session } from '../session/public-session.ts';
import type { SessionView, Subscriber } from '../telemetry/telemetry.ts';
import {
  loadWebSocket,
  type MemoryDialOptions,
  type MemoryOptions,
  type MemoryTransport,
  memoryTransport,
} from '../transport/memory.ts';
import type { Security } from '../transport/transport.ts';
import { FakeClock } from './fake-clock.ts';
import { Peer } from './peer.ts';
import { type ServedSession, type SessionOwner, TestSession } from './test-session.ts';
import { loaded, settled, untilTrue } from './turns.ts';

/** Options of {@link testServer}: those of `serve()`, with a network and a clock in the hands of the test. */
export interface TestServerOptions<Data = Record<string, unknown>, C extends MaybeCodec = undefined>
  extends ServeOptions<Data, C> {
  /** How adverse the connections are. Default: bytes arrive at once, in chunks as they were written. */
  readonly network?: MemoryOptions | undefined;
  /** Another server's transport, so that one test has several servers. Default: one of its own, with the option `network`. */
  readonly transport?: MemoryTransport | undefined;
  /** Default: a clock of its own, which is `server.clock`. */
  readonly clock?: FakeClock | undefined;
}

/** What the server sees of a client that connects. */
export interface TestConnectOptions {
  /** The client's address, such as `192.0.2.7:5000`. Default: 127.0.0.1 and a port of its own. */
  readonly from?: SocketAddress | string | undefined;
  /** What handlers read as `session.security`: the result of a TLS handshake, with the client's certificate. Default: undefined. */
  readonly security?: Security | undefined;
  /** For a server that listens on `ws://`: path and query, such as `/chat?token=1`. Default: those of the address. */
  readonly path?: string | undefined;
  /** For a server that listens on `ws://`: further headers of the request, such as `{ origin: 'https://example.org' }`. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A server in memory: everything is as with `serve()`, except that no byte leaves the process and time stands still. */
export class TestServer<Data = Record<string, unknown>, C extends MaybeCodec = undefined> implements AsyncDisposable {
  /** The server that `serve()` returned. */
  readonly server: Server<Data, C>;
  /** The time of the server: `await server.clock.advance(60_000)`. */
  readonly clock: FakeClock;
  /** Carries the bytes: for `connect(server.address, { transport: server.transport })`, and to refuse or break connections. */
  readonly transport: MemoryTransport;
  readonly #convert: Conversion;
  /** Created for the first session that is connected by messages. */
  #watch: Watch | undefined;
  readonly #sessions: TestSession<Data, C>[] = [];
  readonly #peers: Peer[] = [];
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(server: Server<Data, C>, setting: Setting) {
    this.server = server;
    this.clock = setting.clock;
    this.transport = setting.transport;
    this.#convert = setting.convert;
  }

  /** The address that it listens on. It exists only in {@link transport}. */
  get address(): SocketAddress {
    return this.server.addresses[0] as SocketAddress;
  }

  /**
   * Connects a client. Resolves once the handler's `open` is done, or has sent something.
   *
   * @throws YodelError the reason if the server refuses the connection; what `open` threw
   */
  async connect(options: TestConnectOptions = {}): Promise<TestSession<Data, C>> {
    const session = await this.#connect(options, async () => {});
    this.#sessions.push(session);
    return session;
  }

  /** Connects a client that sends and receives bytes. */
  async dial(options: TestConnectOptions = {}): Promise<Peer> {
    const peer = new Peer(await this.transport.connect(...target(this.address, options)));
    this.#peers.push(peer);
    await settled();
    return peer;
  }

  /**
   * Ends all sessions, and closes the server at once. Handlers that are not done are aborted by their `signal`.
   *
   * @throws in the promise: what a handler threw, if no call of a session has thrown it
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal A client whose end is that of the server. */
  async connectOnly(options: TestConnectOptions): Promise<TestSession<Data, C>> {
    try {
      return await this.#connect(options, () => this.close());
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #connect(options: TestConnectOptions, close: () => Promise<void>): Promise<TestSession<Data, C>> {
    const watch = this.#watchSessions();
    const connection = await this.transport.connect(...target(this.address, options));
    // After an upgrade, the session begins in another turn.
    if (connection.framing) await settled();
    const watched = watch.of(connection.local);
    if (!watched?.session) {
      connection.abort();
      throw watched?.refusal ?? new YodelError('YODEL_CONNECTION_CLOSED', 'the server has closed the connection');
    }
    const session = watched.session as unknown as Session<Data, C> & ServedSession;
    const { lateFailures, closed } = watched;
    const { clock, transport } = this;
    const owner: SessionOwner = { ...this.#convert, clock, transport, lateFailures, closed: closed.promise, close };
    const client = new TestSession<Data, C>(connection, session, owner);
    await settled();
    await untilTrue(() => session.isIdle || client.peer.size > 0 || client.peer.closed);
    await settled();
    const thrown = session.outcome?.error;
    if (thrown?.code !== 'YODEL_HANDLER_FAILED') return client;
    connection.abort();
    throw thrown.cause;
  }

  #watchSessions(): Watch {
    if (this.#watch) return this.#watch;
    this.#watch = new Watch();
    this.server.subscribe(this.#watch);
    return this.#watch;
  }

  async #close(): Promise<void> {
    // Only now: what a server does without subscribers can be tested, too.
    const { stopFailures } = this.#watchSessions();
    const results = await Promise.allSettled(this.#sessions.map((session) => session.close()));
    const closing = this.server.close({ timeoutMs: 0 });
    await this.clock.advance(0);
    await closing;
    for (const { closed, connection } of this.#peers) if (!closed) connection.abort();
    await settled();
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    if (stopFailures.length > 0) throw stopFailures[0];
  }
}

/**
 * Starts a server in memory, for several sessions with one handler, such as members of a room, and for clients.
 *
 * ```ts
 * const server = await testServer({ handler: chatRoom });
 * const [ana, bob] = [await server.connect(), await server.connect()];
 * await ana.say('hello');
 * expect(await bob.next()).toBe('1: hello');
 * await server.close();
 * ```
 *
 * @throws YodelError as `serve()`
 */
export async function testServer<Data = Record<string, unknown>, C extends MaybeCodec = undefined>(
  options: TestServerOptions<Data, C> & WithData<NoInfer<Data>, NoInfer<C>> = {} as TestServerOptions<Data, C> &
    WithData<NoInfer<Data>, NoInfer<C>>,
): Promise<TestServer<Data, C>> {
  const { network, ...serveOptions } = options;
  const clock = options.clock ?? new FakeClock();
  const transport = options.transport ?? memoryTransport({ clock, ...network });
  // The server is loaded here, because tests of framings need none, and what it would load when it needs it.
  const [{ serve }] = await loaded(Promise.all([import('../server/server.ts'), loadWebSocketFor(options.listen)]));
  const own = options.codec as Codec | undefined;
  const codec = own?.peer ?? own;
  const convert: Conversion = {
    decode: (message) => (codec ? decodeMessage(codec, message) : message.text),
    encode: (said) => (codec ? encodeValue(codec, said) : said) as string | Uint8Array | Message,
  };
  const all = { ...serveOptions, clock, transport } as ServeOptions<Data, C> & WithData<NoInfer<Data>, NoInfer<C>>;
  return new TestServer<Data, C>(await serve<Data, C>(all), { clock, transport, convert });
}

/** Options of {@link testSession}. */
export type TestSessionOptions<Data, C extends MaybeCodec> = Omit<TestServerOptions<Data, C>, 'handler'> &
  TestConnectOptions;

/**
 * Connects a client to a handler, in memory.
 *
 * ```ts
 * const session = await testSession((message) => message.text.toUpperCase());
 * expect(await session.say('hello')).toBe('HELLO');
 * await session.close();
 * ```
 *
 * @param options those of `serve()`, and what the server sees of the client
 * @throws YodelError as `serve()`; the reason if the connection is refused; what `open` threw
 */
export async function testSession<Data = Record<string, unknown>, C extends MaybeCodec = undefined>(
  handler: Handler<NoInfer<Data>, NoInfer<C>>,
  options: TestSessionOptions<Data, C> & WithData<NoInfer<Data>, NoInfer<C>> = {} as TestSessionOptions<Data, C> &
    WithData<NoInfer<Data>, NoInfer<C>>,
): Promise<TestSession<Data, C>> {
  const { from, security, path, headers, ...serverOptions } = options;
  const all = { ...serverOptions, handler } as unknown as TestServerOptions<Data, C> &
    WithData<NoInfer<Data>, NoInfer<C>>;
  const server = await testServer<Data, C>(all);
  return await server.connectOnly({ from, security, path, headers });
}

/** What the program threw, out of the error that reports it. */
function thrownOf(error: YodelError): unknown {
  return error.code === 'YODEL_HANDLER_FAILED' ? error.cause : error;
}

type Conversion = Pick<SessionOwner, 'decode' | 'encode'>;

interface Setting {
  readonly clock: FakeClock;
  readonly transport: MemoryTransport;
  readonly convert: Conversion;
}

/** What became of a connection at the server. */
interface Watched {
  session: SessionView | undefined;
  refusal: YodelError | undefined;
  readonly lateFailures: unknown[];
  readonly closed: PromiseWithResolvers<YodelError | undefined>;
}

/** Finds the session of a connection by the client's address, which both ends share as one object. */
class Watch implements Subscriber {
  /** What handlers threw when they stopped. */
  readonly stopFailures: unknown[] = [];
  readonly #all = new WeakMap<Address, Watched>();

  stopFailed(error: YodelError): void {
    this.stopFailures.push(thrownOf(error));
  }

  of(peer: Address): Watched | undefined {
    return this.#all.get(peer);
  }

  readonly opened = (session: SessionView): void => {
    this.#watched(session.peer).session = session;
  };

  readonly refused = (peer: Address | undefined, error: YodelError): void => {
    if (peer) this.#watched(peer).refusal = error;
  };

  readonly handlerFailed = (session: SessionView, error: YodelError): void => {
    const { outcome } = session as SessionView & ServedSession;
    // Until now nothing has ended the session, or another error has.
    if (outcome) this.#watched(session.peer).lateFailures.push(error.cause ?? error);
  };

  readonly closed = (session: SessionView, error: YodelError | undefined): void => {
    this.#watched(session.peer).closed.resolve(error);
  };

  #watched(peer: Address): Watched {
    const found = this.#all.get(peer);
    if (found) return found;
    const closed = Promise.withResolvers<YodelError | undefined>();
    const created: Watched = { session: undefined, refusal: undefined, lateFailures: [], closed };
    this.#all.set(peer, created);
    return created;
  }
}

/** What one of the addresses needs, if it is one of WebSocket. */
async function loadWebSocketFor(listen: ServeOptions['listen']): Promise<void> {
  const addresses: readonly unknown[] = Array.isArray(listen) ? listen : [listen];
  if (addresses.some((address) => /^wss?:/.test(String(address)))) await loadWebSocket();
}

/** Where and how a client connects. */
function target(address: SocketAddress, options: TestConnectOptions): [SocketAddress, MemoryDialOptions] {
  const { from, security, path, headers } = options;
  const isWebSocket = address.scheme === 'ws' || address.scheme === 'wss';
  const to =
    isWebSocket && path !== undefined
      ? new WebSocketAddress(address.scheme, address.host, address.port, path)
      : address;
  return [to, { from: typeof from === 'string' ? (parseAddress(from) as SocketAddress) : from, security, headers }];
}
