/** The server itself. The interface in `server.ts` documents its public methods. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SocketAddress } from '../address.ts';
import { type Clock, realClock } from '../clock.ts';
import { checkCodec } from '../codec/values.ts';
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import { resolveWire } from '../framing/wire.ts';
import { echo } from '../handlers/echo.ts';
import { checkShapes } from '../option-shapes.ts';
import { checkOption, resolveOptions } from '../option-values.ts';
import { type ServerLimits, serverOptions, sessionOptions } from '../options.ts';
import { checkCorrelate } from '../requests/correlation.ts';
import { Rooms } from '../rooms/rooms.ts';
import { MemoryStore } from '../rooms/stored/memory-store.ts';
import { type HandlerCallbacks, type HandlerObject, resolveHandler } from '../session/handler.ts';
import type { RoomReach } from '../session/joining.ts';
import type { RoomSession } from '../session/membership.ts';
import { MemoryLimit } from '../session/memory-limit.ts';
import type { Room, RoomSendOptions, Session, SessionServer } from '../session/public-session.ts';
import type { SessionSettings } from '../session/settings.ts';
import { echoValues, valueHandler } from '../session/values/value-handler.ts';
import { subscribersOf } from '../telemetry/events.ts';
import { type Counters, type Subscriber, Telemetry } from '../telemetry/telemetry.ts';
import type { Listener, ListenOptions, ServerTls, ServerWebSocket, Transport } from '../transport/transport.ts';
import { Acceptor, type AcceptorSettings } from './acceptor.ts';
import { Attached, type HandleUpgradeOptions } from './attached.ts';
import { channelsOf } from './channels.ts';
import { type Delay, startDelay } from './delay.ts';
import type { AnyReloadOptions, AnyServeOptions } from './options.ts';
import { addressListOf, admissionRulesOf, checkReloadOptions, checkTls } from './options.ts';
import { originsOf } from './origins.ts';
import { refuseOwnAddress, refuseOwnAddressNow } from './own-address.ts';
import { StartedHandlers } from './started-handlers.ts';

/**
 * | State    | Connections | Sessions                              | Continues when                         |
 * |----------|-------------|---------------------------------------|----------------------------------------|
 * | open     | accepted    | run                                   | `close`                                |
 * | delaying | accepted    | run                                   | `drainDelay` is over, or `close` again |
 * | emptying | accepted    | run                                   | those that waited have been accepted   |
 * | draining | refused (1) | answer what has arrived, then end     | the last one is closed                 |
 * | closed   | refused     | none                                  |                                        |
 *
 * (1) Handshakes in progress may complete within a quarter of the time, and their sessions are served.
 */
export class MessageServer implements SessionServer {
  #options: AnyServeOptions;
  #limits: ServerLimits;
  readonly #telemetry = new Telemetry(channelsOf(this));
  readonly #clock: Clock;
  readonly #memoryLimit: MemoryLimit;
  readonly #running: Int32Array;
  readonly #rooms: Rooms;
  readonly #acceptor: Acceptor;
  readonly #handlers: StartedHandlers;
  /** Settles when a reload whose handler starts is over. Never rejects. */
  #reloading: Promise<void> | undefined;
  readonly #listenOptions: Pick<ListenOptions, 'tls' | 'proxies' | 'reusePort'> & {
    readonly webSocket: ServerWebSocket;
  };
  readonly #listeners: Listener[] = [];
  /** While listeners are added. */
  #binding: Promise<void> | undefined;
  readonly #attached: Attached;
  #hasStarted = false;
  /** `close` was called. */
  #isClosing = false;
  /** The wait before draining. */
  #drainDelay: Delay | undefined;
  #isDraining = false;
  /** Ends what a shutdown waits for besides sessions: connections that are not accepted yet, and handshakes. */
  readonly #stop = new AbortController();
  readonly #closed = Promise.withResolvers<void>();

  constructor(options: AnyServeOptions) {
    const limits = resolveOptions(serverOptions, options);
    this.#options = options;
    this.#limits = limits;
    this.#clock = options.clock ?? realClock;
    this.#memoryLimit = new MemoryLimit(limits.maxPendingBytes, this.#clock);
    this.#running = options.running ?? new Int32Array(1);
    this.#rooms = new Rooms({
      limits,
      sessionLimits: resolveOptions(sessionOptions, options),
      telemetry: this.#telemetry,
      clock: this.#clock,
      memoryLimit: this.#memoryLimit,
      sessions: () => this.#acceptor.sessions as ReadonlySet<RoomSession>,
      bus: options.bus,
      store: options.bus ? options.bus.store : (options.journal?.openStore?.() ?? new MemoryStore(this.#clock)),
      codec: checkCodec(options.codec),
      handler: this.#handlerOf(options),
    });
    const settings = this.#settingsOf(options, limits);
    this.#acceptor = new Acceptor(settings);
    this.#handlers = new StartedHandlers({
      server: this,
      telemetry: this.#telemetry,
      clock: this.#clock,
      shutdownTimeout: () => this.#limits.shutdownTimeout,
    });
    checkTls(options.tls);
    this.#listenOptions = {
      tls: options.tls,
      reusePort: options.reusePort,
      webSocket: {
        pingInterval: limits.pingInterval,
        clock: this.#clock,
        origins: originsOf(options.origins),
        // As it is when the request arrives: a reload may change it.
        authorize: (request, client) => {
          const { authorizeUpgrade } = this.#options;
          return authorizeUpgrade ? authorizeUpgrade(request, client) : true;
        },
      },
      proxies: addressListOf('proxyProtocol', options.proxyProtocol),
    };
    for (const one of subscribersOf(options.telemetry)) this.#telemetry.subscribe(one);
    const { handshakeTimeout, keepAlive } = limits;
    const { webSocket } = this.#listenOptions;
    this.#attached = new Attached(options.upgradePath, { ...this.#accepting, webSocket, handshakeTimeout, keepAlive });
    this.#stop.signal.addEventListener('abort', () => this.#attached.abandon());
    if (options.journal?.subscriber) this.#telemetry.subscribe(options.journal.subscriber);
    void options.journal?.failed.then((error) => this.#abort(error));
  }

  get addresses(): readonly [SocketAddress, ...SocketAddress[]] {
    const [first, ...others] = this.#listeners.map(({ address }) => address);
    // The type says that there is one, which is so whenever a program asks.
    return first ? [first, ...others] : ([] as unknown as readonly [SocketAddress]);
  }

  get sessions(): ReadonlySet<Session> {
    return this.#acceptor.sessions;
  }

  get maxConnections(): number {
    return this.#acceptor.maxConnections;
  }

  get pendingBytes(): number {
    return this.#memoryLimit.total;
  }

  get counters(): Readonly<Counters> {
    return this.#telemetry.counters;
  }

  subscribe(subscriber: Subscriber | readonly Subscriber[]): () => void {
    const ends = subscribersOf(subscriber).map((one) => this.#telemetry.subscribe(one));
    return () => {
      for (const end of ends) end();
    };
  }

  get closing(): boolean {
    return this.#isClosing;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  room(name: string): Room {
    return this.#rooms.room(name);
  }

  broadcast(message: string | Uint8Array | Message, options?: RoomSendOptions): RoomReach {
    return this.#rooms.broadcast(message, options);
  }

  /** Starts the handler and listens on all addresses, or on none. @throws YodelError as `Transport.listen`; what the handler's start throws */
  async listen(addresses: readonly SocketAddress[], transport: Transport): Promise<void> {
    try {
      await this.#rooms.start();
      const handler = resolveHandler(this.#options.handler ?? echo);
      await this.#handlers.start(handler, this.#limits.startTimeout);
      if (this.#isClosing)
        throw new YodelError('YODEL_SHUTTING_DOWN', 'the server was closed while its handler started');
      this.#acceptor.started = this.#handlers.use(handler);
      this.#binding = this.#bind(addresses, transport).finally(() => {
        this.#binding = undefined;
      });
      await this.#binding;
      await refuseOwnAddress(handler.upstream, this.addresses);
      this.#hasStarted = true;
    } catch (error) {
      await this.close({ timeoutMs: 0 });
      throw error;
    }
  }

  async #bind(addresses: readonly SocketAddress[], transport: Transport): Promise<void> {
    const { backlog, handshakeTimeout, keepAlive } = this.#limits;
    for (const [index, address] of addresses.entries()) {
      const descriptor = this.#options.descriptors?.[index];
      const options = { ...this.#listenOptions, ...this.#accepting, descriptor, backlog, handshakeTimeout, keepAlive };
      const listener = await transport.listen(address, options);
      this.#listeners.push(listener);
      if (this.#telemetry.watched) this.#telemetry.emit('listening', listener.address);
    }
  }

  /** What the acceptor does with connections. */
  get #accepting(): Pick<ListenOptions, 'admit' | 'accept' | 'failed'> {
    return {
      admit: (peer, isBalancer, refused) => this.#acceptor.admit(peer, isBalancer, refused),
      accept: (connection) => this.#acceptor.accept(connection),
      failed: (cause) => this.#acceptor.failed(cause),
    };
  }

  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Uint8Array,
    options: HandleUpgradeOptions = {},
  ): boolean {
    return this.#attached.handle(request, socket, head, options);
  }

  async reload(changes: AnyReloadOptions): Promise<void> {
    // One after another, so that the last one wins.
    while (this.#reloading) await this.#reloading;
    checkReloadOptions(changes);
    const options: AnyServeOptions = { ...this.#options, ...changes };
    const limits = resolveOptions(serverOptions, options);
    const settings = this.#settingsOf(options, limits);
    checkTls(changes.tls);
    refuseOwnAddressNow(settings.session.handler.upstream, this.addresses);
    const handler = resolveHandler(options.handler ?? echo);
    const apply = () => this.#apply(options, settings, changes.tls);
    const starting = this.#handlers.start(handler, limits.startTimeout);
    if (!starting) return apply();
    const over = Promise.withResolvers<void>();
    this.#reloading = over.promise;
    try {
      await starting;
      apply();
    } finally {
      this.#reloading = undefined;
      over.resolve();
    }
  }

  /** Applies settings that were checked, and whose handler is started. @throws YodelError `YODEL_TLS`; then nothing has changed */
  #apply(options: AnyServeOptions, settings: AcceptorSettings, tls: ServerTls | undefined): void {
    const { session, limits } = settings;
    const handler = resolveHandler(options.handler ?? echo);
    // The last step that can fail. It can fail only for the first listener, because all have the same certificates.
    try {
      if (tls) for (const listener of this.#listeners) listener.renew?.(tls);
    } catch (error) {
      this.#handlers.refuse(handler);
      throw error;
    }
    this.#options = options;
    this.#limits = limits;
    this.#acceptor.reload(settings);
    this.#acceptor.started = this.#handlers.use(handler);
    this.#memoryLimit.setLimit(limits.maxPendingBytes);
    this.#rooms.reload({ limits, sessionLimits: session.limits, handler: session.handler, codec: session.codec });
  }

  async close(options: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    checkShapes(options, { timeoutMs: 'other' }, 'close()');
    const { timeoutMs = this.#limits.shutdownTimeout } = options;
    checkOption('timeoutMs', serverOptions.shutdownTimeout, timeoutMs);
    const delay = this.#delayDraining(timeoutMs);
    if (delay) await delay.over;
    if (!this.#isDraining) {
      this.#isDraining = true;
      void this.#drain(timeoutMs);
    }
    const timer = this.#clock.deadline(timeoutMs, () => this.#abortSessions(timeoutMs));
    await this.closed;
    timer.cancel();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The first call waits for `drainDelay`, the second ends that wait. */
  #delayDraining(timeoutMs: number): Delay | undefined {
    const { drainDelay } = this.#limits;
    if (this.#isClosing) this.#drainDelay?.skip();
    else if (drainDelay > 0 && timeoutMs > 0) this.#drainDelay = startDelay(this.#clock, drainDelay);
    this.#isClosing = true;
    return this.#drainDelay;
  }

  async #drain(timeoutMs: number): Promise<void> {
    if (timeoutMs === 0) this.#stop.abort();
    // Clients that never stop sending are read for a quarter of the time, because most of it is for the replies.
    const readMs = timeoutMs / 4;
    const timer = this.#clock.after(readMs, () => this.#stop.abort());
    if (this.#binding) await this.#binding.catch(() => undefined);
    await Promise.all(this.#listeners.map((listener) => listener.close(this.#stop.signal)));
    const { sessions } = this.#acceptor;
    const hasListened = this.#hasStarted || this.#listeners.length > 0;
    if (this.#telemetry.watched && hasListened) this.#telemetry.emit('draining', sessions.size);
    this.#acceptor.drain(readMs);
    await this.#acceptor.emptied();
    timer.cancel();
    await this.#handlers.stop();
    await this.#rooms.close();
    this.#closed.resolve();
  }

  #abortSessions(timeoutMs: number): void {
    this.#stop.abort();
    const text = `still open ${timeoutMs} ms after the server began to shut down`;
    for (const session of this.#acceptor.sessions) {
      session.disconnect(new YodelError('YODEL_SHUTDOWN_TIMEOUT', text));
    }
    this.#acceptor.abandon();
    this.#handlers.timeIsOver();
  }

  /** The journal failed: a reply would no longer mean that its message is recorded. */
  #abort(error: YodelError): void {
    for (const session of this.#acceptor.sessions) session.disconnect(error);
    void this.close({ timeoutMs: 0 });
  }

  #settingsOf(options: AnyServeOptions, limits: ServerLimits): AcceptorSettings {
    return { session: this.#sessionSettingsOf(options), limits, rules: admissionRulesOf(options, limits) };
  }

  /** Its callbacks get messages; with a codec, the program's own get values. */
  #handlerOf({ handler, codec, errorReply }: AnyServeOptions): HandlerObject {
    const given: unknown = handler === undefined ? (codec === undefined ? echo : echoValues) : handler;
    if (codec === undefined) return resolveHandler(given);
    return valueHandler(resolveHandler(given), { codec, errorReply, telemetry: this.#telemetry });
  }

  #sessionSettingsOf(options: AnyServeOptions): SessionSettings {
    const codec = checkCodec(options.codec);
    const handler = this.#handlerOf(options);
    const limits = resolveOptions(sessionOptions, { ...options, maxMessageLength: longestMessageOf(options, handler) });
    const longest = options.journal?.maxMessageLength ?? limits.maxMessageLength;
    if (limits.maxMessageLength > longest) {
      const text = `the option "maxMessageLength" takes at most ${longest} with this journal, not ${limits.maxMessageLength}`;
      throw new YodelError('YODEL_INVALID_OPTION', text);
    }
    // What is passed on to another server need not be text.
    const encoding = options.encoding ?? (handler.forwarding && 'binary');
    const protocol = resolveWire({ ...options, encoding });
    const { maxMessageLength, onTooLong } = limits;
    return {
      protocol,
      decoderOptions: { maxMessageLength, onTooLong, encoding: protocol.encoding },
      handler,
      codec,
      errorReply: options.errorReply,
      correlate: correlateOf(options),
      data: options.data,
      limits,
      telemetry: this.#telemetry,
      clock: this.#clock,
      memoryLimit: this.#memoryLimit,
      journal: options.journal,
      rooms: this.#rooms,
      server: this,
      running: this.#running,
    };
  }
}

/** @throws YodelError `YODEL_INVALID_OPTION` */
function correlateOf({ correlate }: AnyServeOptions): AnyServeOptions['correlate'] {
  checkCorrelate(correlate);
  return correlate;
}

/** What is passed on to a server is limited by that server: here only as far as memory needs it. */
function longestMessageOf(
  { maxMessageLength, journal }: AnyServeOptions,
  { forwarding }: HandlerCallbacks,
): number | undefined {
  if (maxMessageLength !== undefined || forwarding !== 'transparent') return maxMessageLength;
  return Math.min(longestForwarded, journal?.maxMessageLength ?? longestForwarded);
}

/** As for what the server behind a proxy sends. In bytes. */
const longestForwarded = 16_777_216;
