/** Listeners, admission, and the end of it all. */
import { type Address, defaultAddress, parseAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import { echo } from '../handlers/echo.ts';
import { LinkedSet } from '../linked-set.ts';
import {
  checkOption,
  type OptionalValues,
  refuseUnknown,
  resolveOptions,
  type ServerLimits,
  type SessionLimits,
  serveLimits,
  serverOptions,
  sessionOptions,
} from '../options.ts';
import { type Clock, realClock } from '../session/clock.ts';
import { type Handler, resolveHandler, type Session } from '../session/handler.ts';
import type { SessionJournal } from '../session/journaling.ts';
import { MemoryLimit } from '../session/memory-limit.ts';
import { ServerSession, type SessionSettings } from '../session/session.ts';
import { resolveWire, type WireOptions } from '../session/wire.ts';
import { type Counters, type Subscriber, Telemetry } from '../telemetry/telemetry.ts';
import { AddressList } from '../transport/address-list.ts';
import { descriptorLimit } from '../transport/descriptors.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type {
  Connection,
  Listener,
  ListenOptions,
  PendingConnection,
  ServerTls,
  Transport,
} from '../transport/transport.ts';
import { Admission, type AdmissionRules } from './admission.ts';
import { type Capacity, capacityFor } from './capacity.ts';
import { Refusals } from './refuse.ts';

/** What {@link serve} takes. Times are milliseconds, sizes are bytes; see the reference for each limit. */
export interface ServeOptions extends WireOptions, OptionalValues<SessionLimits>, OptionalValues<ServerLimits> {
  /** What to do with messages. Default: `echo`. */
  readonly handler?: Handler | undefined;
  /** Where to listen: one address or several. Default `tcp://127.0.0.1:7878`. */
  readonly listen?: Address | string | number | readonly (Address | string | number)[] | undefined;
  /**
   * Sockets that listen already, such as systemd passes: descriptors of this process, one for each address of `listen`, in
   * order. Default: none; the server makes its own.
   */
  readonly descriptors?: readonly number[] | undefined;
  /**
   * Whether other processes that say so too may listen at the same TCP ports (`SO_REUSEPORT`); the operating system shares
   * new connections out among them. Default: no.
   */
  readonly reusePort?: boolean | undefined;
  /** What `tls://` and `wss://` need: a certificate and its key, and whom to trust. */
  readonly tls?: ServerTls | undefined;
  /**
   * Web pages of these origins may connect by WebSocket besides the server's own: `https://app.example.org`; `*` for all.
   * Default: none.
   */
  readonly origins?: readonly string[] | undefined;
  /** Only peers in these networks may connect: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`. Default: all; an empty list: nobody. */
  readonly allow?: readonly string[] | undefined;
  /** Peers in these networks may not connect, also when they are allowed. Default: none. */
  readonly deny?: readonly string[] | undefined;
  /**
   * Load balancers, of which each connection begins with a header of the PROXY protocol (1 or 2) that says whose it is.
   * What others send is never taken for such a header. Default: none.
   */
  readonly proxyProtocol?: readonly string[] | undefined;
  /**
   * Where messages are recorded before the handler gets them, so that a reply means that its message is there: what
   * `openJournal()` gives. It must stay open until the server is closed. Default: none.
   */
  readonly journal?: SessionJournal | undefined;
  /** Closes the server when it is aborted, as {@link Server.close} does. */
  readonly signal?: AbortSignal | undefined;
  /** Is told what happens. */
  readonly telemetry?: Subscriber | undefined;
  /** @internal For tests. */
  readonly transport?: Transport | undefined;
  /** @internal For tests. */
  readonly clock?: Clock | undefined;
}

/** What {@link Server.reload} takes. */
export interface ReloadOptions
  extends Pick<ServeOptions, 'handler' | 'tls' | 'allow' | 'deny'>,
    OptionalValues<SessionLimits>,
    OptionalValues<ServerLimits> {}

/** A running server. */
export interface Server extends AsyncDisposable {
  /** Where it listens, in the order of the `listen` option; a port 0 has become the real one. */
  readonly addresses: readonly Address[];
  /** The sessions that are open now. */
  readonly sessions: ReadonlySet<Session>;
  /**
   * How many connections are served at once: the option `maxConnections`, or as many as the process's limit of open
   * files allows.
   */
  readonly maxConnections: number;
  /** Bytes that wait in all sessions together, which the option `maxPendingBytes` limits: of messages, finished or not, and of replies. */
  readonly pendingBytes: number;
  /** Counts since the server began. */
  readonly counters: Readonly<Counters>;
  /** True from when it was told to close. */
  readonly closing: boolean;
  /** Resolves when the server has been closed. Never rejects. */
  readonly closed: Promise<void>;
  /**
   * After `drainDelay` takes no new connections, answers every complete message that has arrived, ends the sessions, and resolves when all are
   * gone. Those that are not done after `timeoutMs` are broken off. A second call can shorten the time.
   *
   * @param options.timeoutMs default: the option `shutdownTimeout`; it begins when the delay is over
   * @throws YodelError `YODEL_INVALID_OPTION`
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
  /**
   * Goes on with other options; those that are not named stay. Sessions that are open keep the handler and the limits that they
   * began with. Of `tls` the certificates and whom to trust change; whether clients are asked for a certificate, and
   * `alpn`, stay as they were, and so do `backlog`, `handshakeTimeout` and the longest message of WebSocket.
   *
   * @throws YodelError `YODEL_INVALID_OPTION`, `YODEL_INVALID_HANDLER`, `YODEL_TLS`; then all stays as it was
   */
  reload(options: ReloadOptions): void;
}

/**
 * Starts a server. Resolves when it listens everywhere it should.
 *
 * ```ts
 * const server = await serve({ listen: 'tcp://127.0.0.1:7878', handler: (message) => message.text.toUpperCase() });
 * ```
 *
 * @throws YodelError `YODEL_INVALID_OPTION`, `YODEL_INVALID_ADDRESS`, `YODEL_INVALID_HANDLER`, `YODEL_ADDRESS_IN_USE`,
 *   `YODEL_PERMISSION_DENIED`, …; the signal's reason when it is aborted already
 */
export async function serve(options: ServeOptions = {}): Promise<Server> {
  refuseUnknown(options, knownOptions, 'serve()');
  options.signal?.throwIfAborted();
  const server = new MessageServer(options);
  await server.listen(addressesOf(options), options.transport ?? runtimeTransport);
  const abort = () => void server.close();
  options.signal?.addEventListener('abort', abort, { once: true });
  void server.closed.then(() => options.signal?.removeEventListener('abort', abort));
  // It may have been aborted while it began to listen.
  if (options.signal?.aborted) await server.close();
  options.signal?.throwIfAborted();
  return server;
}

const knownOptions = [
  ...['handler', 'listen', 'framing', 'encoding', 'signal', 'telemetry', 'transport', 'clock'],
  ...['descriptors', 'reusePort', 'tls', 'origins', 'allow', 'deny', 'proxyProtocol', 'journal'],
  ...Object.keys(serveLimits),
];

const reloadable = [...['handler', 'tls', 'allow', 'deny'], ...Object.keys(serveLimits)];

class MessageServer implements Server {
  #options: ServeOptions;
  #limits: ServerLimits;
  #capacity: Capacity;
  /** Of sessions that begin now. */
  #settings: SessionSettings;
  readonly #telemetry = new Telemetry();
  readonly #memoryLimit: MemoryLimit;
  readonly #refusals: Refusals;
  readonly #admission: Admission;
  readonly #ways: Pick<ListenOptions, 'tls' | 'webSocket' | 'proxies' | 'reusePort'>;
  readonly #sessions = new LinkedSet<ServerSession>();
  /** Connections that are still agreeing on TLS or WebSocket. */
  #arriving = 0;
  #listeners: Listener[] = [];
  #addresses: Address[] = [];
  #lastId = 0;
  /** It was told to close. */
  #isEnding = false;
  /** How long it goes on accepting meanwhile; a second call ends it. */
  #delay: Delay | undefined;
  /** It takes no more connections. */
  #closing = false;
  #allGone: (() => void) | undefined;
  readonly #closedPromise = Promise.withResolvers<void>();

  constructor(options: ServeOptions) {
    this.#options = options;
    this.#limits = resolveOptions(serverOptions, options);
    this.#capacity = capacityFor(this.#limits.maxConnections, descriptorLimit());
    this.#memoryLimit = new MemoryLimit(this.#limits.maxPendingBytes);
    this.#settings = this.#settingsOf(options);
    const { clock, framing, limits } = this.#settings;
    this.#refusals = new Refusals(clock, framing, limits.lingerTimeout, this.#capacity.refusals);
    this.#admission = new Admission(rulesOf(options, this.#limits));
    checkTls(options.tls);
    this.#ways = {
      tls: options.tls,
      reusePort: options.reusePort,
      webSocket: { maxMessageLength: limits.maxMessageLength, origins: options.origins ?? [] },
      proxies: listOf('proxyProtocol', options.proxyProtocol),
    };
    if (options.telemetry) this.#telemetry.subscribe(options.telemetry);
    if (options.journal?.subscriber) this.#telemetry.subscribe(options.journal.subscriber);
    void options.journal?.failed.then((error) => this.#giveUp(error));
  }

  #settingsOf(options: ServeOptions): SessionSettings {
    const limits = resolveOptions(sessionOptions, options);
    const longest = options.journal?.maxMessageLength ?? limits.maxMessageLength;
    if (limits.maxMessageLength > longest) {
      const text = `the option "maxMessageLength" takes at most ${longest} with this journal, not ${limits.maxMessageLength}`;
      throw new YodelError('YODEL_INVALID_OPTION', text);
    }
    return {
      ...resolveWire(options),
      handler: resolveHandler(options.handler ?? echo),
      limits,
      telemetry: this.#telemetry,
      clock: options.clock ?? realClock,
      memoryLimit: this.#memoryLimit,
      journal: options.journal,
    };
  }

  get addresses(): readonly Address[] {
    return this.#addresses;
  }

  get sessions(): ReadonlySet<Session> {
    return this.#sessions;
  }

  get maxConnections(): number {
    return this.#capacity.connections;
  }

  get pendingBytes(): number {
    return this.#memoryLimit.total;
  }

  get counters(): Readonly<Counters> {
    return this.#telemetry.counters;
  }

  get closing(): boolean {
    return this.#isEnding;
  }

  get closed(): Promise<void> {
    return this.#closedPromise.promise;
  }

  async listen(addresses: readonly Address[], transport: Transport): Promise<void> {
    try {
      for (const [index, address] of addresses.entries()) {
        const listener = await transport.listen(address, {
          ...this.#ways,
          descriptor: this.#options.descriptors?.[index],
          backlog: this.#limits.backlog,
          handshakeTimeout: this.#limits.handshakeTimeout,
          admit: (peer) => this.#arrive(peer),
          accept: (connection) => this.#accept(connection),
          failed: (cause) => this.#refused(undefined, systemError('cannot accept a connection', cause)),
        });
        this.#listeners.push(listener);
        this.#addresses.push(listener.address);
        if (this.#telemetry.watched) this.#telemetry.emit('listening', listener.address);
      }
    } catch (error) {
      await this.close({ timeoutMs: 0 });
      throw error;
    }
  }

  async close({
    timeoutMs = this.#limits.shutdownTimeout,
  }: {
    readonly timeoutMs?: number | undefined;
  } = {}): Promise<void> {
    checkOption('timeoutMs', serverOptions.shutdownTimeout, timeoutMs);
    const { drainDelay } = this.#limits;
    if (!this.#isEnding) {
      this.#isEnding = true;
      if (drainDelay > 0 && timeoutMs > 0) this.#delay = pause(this.#settings.clock, drainDelay);
    } else this.#delay?.skip();
    if (this.#delay) await this.#delay.over;
    if (!this.#closing) {
      this.#closing = true;
      void this.#shutDown(timeoutMs);
    }
    const timer = this.#settings.clock.after(timeoutMs, () => this.#breakOff(timeoutMs));
    await this.closed;
    timer.cancel();
  }

  reload(changes: ReloadOptions): void {
    refuseUnknown(changes, reloadable, 'reload()');
    const options = { ...this.#options, ...changes };
    const limits = resolveOptions(serverOptions, options);
    const settings = this.#settingsOf(options);
    const rules = rulesOf(options, limits);
    checkTls(changes.tls);
    // The last that can fail: one for all listeners.
    if (changes.tls) for (const listener of this.#listeners) listener.renew?.(changes.tls);
    this.#options = options;
    this.#limits = limits;
    this.#settings = settings;
    this.#capacity = capacityFor(limits.maxConnections, descriptorLimit());
    this.#admission.follow(rules);
    this.#memoryLimit.follow(limits.maxPendingBytes);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Somebody is at the door who has something to agree on first. */
  #arrive(peer: Address): PendingConnection | undefined {
    const refusal = this.#hasRoomForArrival ? this.#admission.admit(peer, this.#now) : this.#whyFull;
    if (refusal) {
      this.#refused(peer, refusal);
      return undefined;
    }
    this.#arriving++;
    return {
      accepted: (connection) => {
        this.#arriving--;
        this.#serve(connection);
      },
      failed: (error) => {
        this.#arriving--;
        this.#admission.left(peer, this.#now);
        this.#refused(peer, systemError('not accepted', error));
      },
    };
  }

  #accept(connection: Connection): void {
    const refusal = this.#admission.admit(connection.peer, this.#now);
    if (refusal) this.#turnAway(connection, refusal);
    else this.#serve(connection);
  }

  /** Serves a connection that was admitted, if there is room. */
  #serve(connection: Connection): void {
    const refusal = this.#closing
      ? shuttingDown()
      : this.#sessions.size < this.maxConnections
        ? undefined
        : this.#whyFull;
    if (refusal) {
      this.#admission.left(connection.peer, this.#now);
      this.#turnAway(connection, refusal);
      return;
    }
    const session = new ServerSession(++this.#lastId, connection, this.#settings, this.#sessionClosed);
    this.#sessions.add(session);
    session.start();
  }

  #turnAway(connection: Connection, refusal: YodelError): void {
    this.#refused(connection.peer, refusal);
    this.#refusals.refuse(connection, refusal);
  }

  get #now(): number {
    return this.#settings.clock.now();
  }

  readonly #sessionClosed = (session: ServerSession): void => {
    this.#sessions.delete(session);
    this.#admission.left(session.peer, this.#now);
    if (this.#sessions.size === 0) this.#allGone?.();
  };

  /** Those that are refused when they have arrived are told so, as others are: they may be as many. */
  get #hasRoomForArrival(): boolean {
    const { connections, refusals } = this.#capacity;
    return this.#sessions.size + this.#arriving < connections + refusals;
  }

  get #whyFull(): YodelError {
    const text = `the server already has ${this.maxConnections} connections, its limit; try again later`;
    return new YodelError('YODEL_TOO_MANY_CONNECTIONS', text);
  }

  #refused(peer: Address | undefined, error: YodelError): void {
    this.#telemetry.counters.connectionsRefused++;
    this.#telemetry.countError(error);
    if (this.#telemetry.watched) this.#telemetry.emit('refused', peer, error);
  }

  /** Nothing that is answered from now on would be true. */
  #giveUp(error: YodelError): void {
    for (const session of this.#sessions) session.breakOff(error);
    void this.close({ timeoutMs: 0 });
  }

  async #shutDown(timeoutMs: number): Promise<void> {
    const listens = this.#listeners.length > 0;
    if (this.#telemetry.watched && listens) this.#telemetry.emit('draining', this.#sessions.size);
    const listenersGone = Promise.all(this.#listeners.map((listener) => listener.close()));
    // Against clients that never stop sending: most of the time is for the answers.
    for (const session of this.#sessions) session.drain(timeoutMs / 4);
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => (this.#allGone = resolve));
    this.#refusals.stop();
    await listenersGone;
    this.#closedPromise.resolve();
  }

  #breakOff(timeoutMs: number): void {
    const text = `not done ${timeoutMs} ms after the server began to shut down`;
    for (const session of this.#sessions) session.breakOff(new YodelError('YODEL_SHUTDOWN_TIMEOUT', text));
  }
}

/** A wait that can be cut short. */
interface Delay {
  readonly over: Promise<void>;
  skip(): void;
}

function pause(clock: Clock, ms: number): Delay {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  return {
    over: promise,
    skip() {
      timer.cancel();
      resolve();
    },
  };
}

function shuttingDown(): YodelError {
  return new YodelError('YODEL_SHUTTING_DOWN', 'the server is shutting down');
}

function rulesOf({ allow, deny }: ServeOptions, limits: ServerLimits): AdmissionRules {
  return {
    // An empty list lets nobody in; it must not pass for none.
    allow: allow && new AddressList('allow', allow),
    deny: listOf('deny', deny),
    perAddress: limits.maxConnectionsPerAddress,
    rate: limits.connectionRate,
  };
}

/** @throws YodelError `YODEL_INVALID_OPTION` */
function checkTls(tls: ServerTls | undefined): void {
  if (tls === undefined) return;
  refuseUnknown(tls, ['cert', 'key', 'sni', 'clientCa', 'alpn'], 'tls');
  for (const name of ['cert', 'key'] as const) {
    if (typeof tls[name] === 'string' && tls[name].includes('-----BEGIN ')) continue;
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `the option "tls" needs "${name}": the text of a PEM file, not its path`,
    );
  }
}

function listOf(option: string, entries: readonly string[] | undefined): AddressList | undefined {
  return entries && entries.length > 0 ? new AddressList(option, entries) : undefined;
}

function addressesOf({ listen, descriptors }: ServeOptions): Address[] {
  const all = Array.isArray(listen) ? (listen as readonly (Address | string | number)[]) : [listen ?? defaultAddress];
  if (all.length === 0)
    throw new YodelError('YODEL_INVALID_OPTION', 'the option "listen" is empty; leave it out for the default');
  matchDescriptors(descriptors, all.length);
  return all.map((one) => (typeof one === 'object' ? (one as Address) : parseAddress(one as string | number)));
}

/** @throws YodelError `YODEL_INVALID_OPTION` when sockets were passed, but not one for each address */
export function matchDescriptors(descriptors: readonly number[] | undefined, addresses: number): void {
  if (!descriptors || descriptors.length === addresses) return;
  const counts = `descriptors: ${descriptors.length}, addresses: ${addresses}`;
  const text = `sockets were passed, but not one for each address (${counts}); name the addresses with "listen"`;
  throw new YodelError('YODEL_INVALID_OPTION', text);
}
