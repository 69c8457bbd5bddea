/** The options of `serve()` and `reload()`, and the checks before the server listens. */
import { type Address, addressOf, defaultAddress, type SocketAddress } from '../address.ts';
import type { Clock } from '../clock.ts';
import type { MaybeCodec, Sendable } from '../codec/codec.ts';
import { type ErrorCode, type OwnErrorCode, YodelError } from '../errors.ts';
import type { WireOptions } from '../framing/wire.ts';
import { checkShapes, type OptionShapes, shapesOf } from '../option-shapes.ts';
import { type OptionalValues, refuseUnknown } from '../option-values.ts';
import { type ServerLimits, type SessionLimits, serveLimits } from '../options.ts';
import type { Correlate } from '../requests/correlation.ts';
import type { Bus } from '../rooms/bus.ts';
import type { StoreOwner } from '../rooms/stored/store.ts';
import type { Handler } from '../session/handler.ts';
import type { SessionJournal } from '../session/journaling.ts';
import type { Session } from '../session/public-session.ts';
import type { Subscriber } from '../telemetry/telemetry.ts';
import { AddressList } from '../transport/address-list.ts';
import { checkPem } from '../transport/pem.ts';
import type { AuthorizeUpgrade, ServerTls, Transport } from '../transport/transport.ts';
import type { AdmissionRules } from './admission.ts';

/** Options of {@link serve}. Times are milliseconds, sizes are bytes; the reference describes each limit. */
export interface ServeOptions<Data = Record<string, unknown>, C extends MaybeCodec = undefined>
  extends WireOptions,
    OptionalValues<SessionLimits>,
    OptionalValues<ServerLimits> {
  /**
   * Creates `session.data` when a session begins, before `open`. If it throws, the session is closed as if its handler had thrown.
   * Default: an empty object.
   */
  readonly data?: ((session: Session<unknown, C>) => Data) | undefined;
  /**
   * Converts between messages and the values that the handler gets and gives, such as `json()`. All connections share it. Default:
   * none; the handler gets messages.
   */
  readonly codec?: C | undefined;
  /**
   * Returns what a peer receives as an error reply, such as `-ERR TEXT` instead of `error: TEXT`: text, bytes or a message; with a codec, a
   * value or a message; undefined: nothing. If it throws, the reply is `error: TEXT`. Default: what the codec, the protocol or the framing says.
   *
   * @param text what the peer may know: the `reply` of an own error, for example
   * @param code that of the error, which may be the handler's own
   */
  readonly errorReply?:
    | ((text: string, code: ErrorCode | OwnErrorCode) => Sendable<NoInfer<C>> | undefined)
    | undefined;
  /** How the replies to `session.request` are matched to requests. Default: by order. */
  readonly correlate?: Correlate<NoInfer<C>> | undefined;
  /** Handles the messages. Default: `echo`. */
  readonly handler?: Handler<NoInfer<Data>, NoInfer<C>> | undefined;
  /**
   * Where to listen: one address or several. False: nowhere, for a server that lives beside an HTTP server and gets its connections
   * from {@link Server.handleUpgrade}. Default `tcp://127.0.0.1:7878`.
   */
  readonly listen?: Address | string | number | false | readonly (Address | string | number)[] | undefined;
  /** The path that {@link Server.handleUpgrade} serves, with any query: `/chat`. Default: every path. */
  readonly upgradePath?: string | undefined;
  /**
   * Sockets that already listen, such as those that systemd passes: descriptors of this process, one for each address of
   * `listen`, in the same order. Default: none; the server creates its own.
   */
  readonly descriptors?: readonly number[] | undefined;
  /**
   * Whether other processes with this option may listen at the same TCP ports (`SO_REUSEPORT`); the kernel distributes new
   * connections among them. Default: no.
   */
  readonly reusePort?: boolean | undefined;
  /** Required for `tls://` and `wss://`: a certificate and its key, and which client certificates to trust. */
  readonly tls?: ServerTls | undefined;
  /**
   * Origins whose web pages may connect by WebSocket, besides the server's own: `https://app.example.org`; `*` for all. A scheme, a host
   * and perhaps a port, as browsers send them: no path, and no pattern. Default: none.
   */
  readonly origins?: readonly string[] | undefined;
  /**
   * Decides whether a client may open a WebSocket, before its session begins: by a cookie, a token in the URL or the headers, or a
   * certificate. The origin and the request itself were checked before. It may add headers to the response, choose a subprotocol,
   * and give the session its `data`. If it takes longer than `handshakeTimeout`, the client is disconnected; if it throws, the client
   * gets the HTTP status 500 and the error is reported. Default: all that pass the other checks may.
   */
  readonly authorizeUpgrade?: AuthorizeUpgrade<NoInfer<Data>> | undefined;
  /** Networks whose peers may connect: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`. Default: all; an empty list: none. */
  readonly allow?: readonly string[] | undefined;
  /** Networks whose peers may not connect, even if `allow` lists them. Default: none. */
  readonly deny?: readonly string[] | undefined;
  /**
   * Load balancers whose connections begin with a header of the PROXY protocol (version 1 or 2), which names the client.
   * Such a header from any other peer is not trusted: it is data. Default: none.
   */
  readonly proxyProtocol?: readonly string[] | undefined;
  /**
   * Where messages are recorded before the handler receives them, so that a reply means that its message is on disk: the
   * result of `openJournal()`. It must stay open until the server is closed. Default: none.
   */
  readonly journal?: (SessionJournal & StoreOwner) | undefined;
  /** Closes the server when it is aborted, as {@link Server.close} does. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Receives the server's events, or several that do, in this order. One that throws disturbs neither the others nor the server: the
   * process emits a warning. The events are also published on channels of `node:diagnostics_channel`, see {@link ChannelMessages}.
   */
  readonly telemetry?: Subscriber | readonly Subscriber[] | undefined;
  /**
   * Connects its rooms with those of other servers: the result of `openBus()`. Each server needs one of its own, and closes it.
   * Default: none.
   */
  readonly bus?: Bus | undefined;
  /** @internal For a watchdog: see `SessionSettings.running`. */
  readonly running?: Int32Array | undefined;
  /** For tests: what carries the bytes, such as `memoryTransport()` of `yodel/testing`. Default: sockets. */
  readonly transport?: Transport | undefined;
  /** For tests: the time of all limits and time-outs, such as `fakeClock()` of `yodel/testing`. Default: real time. */
  readonly clock?: Clock | undefined;
}

/** Options of any type. */
// biome-ignore lint/suspicious/noExplicitAny: handlers take their data and values, so only this accepts all of them
export type AnyServeOptions = ServeOptions<any, any>;

/** Requires the option `data` where the handler's data is not what a session has without it. */
export type WithData<Data, C extends MaybeCodec> =
  Record<string, unknown> extends Data ? unknown : Pick<Required<ServeOptions<Data, C>>, 'data'>;

/** Options of {@link Server.reload}. */
export interface ReloadOptions<Data = unknown, C extends MaybeCodec = undefined>
  extends Pick<ServeOptions<Data, C>, 'handler' | 'codec' | 'errorReply' | 'tls' | 'allow' | 'deny'>,
    OptionalValues<SessionLimits>,
    OptionalValues<ServerLimits> {}

/** What the command reloads with a handler file. Its handler may have other data than the one before. */
// biome-ignore lint/suspicious/noExplicitAny: as for AnyServeOptions
export type AnyReloadOptions = ReloadOptions<any, any> &
  Pick<AnyServeOptions, 'data' | 'correlate' | 'authorizeUpgrade'>;

/** Handlers, addresses, framings and limits are checked elsewhere. */
const serveOptions: OptionShapes = {
  ...shapesOf(['handler', 'codec', 'correlate', 'listen', 'framing', 'replyFraming', 'protocol', 'encoding']),
  ...shapesOf(['data', 'errorReply', 'authorizeUpgrade'], 'function'),
  ...shapesOf(['journal', 'bus', 'tls', 'transport', 'clock'], 'object'),
  ...shapesOf(['allow', 'deny', 'origins', 'proxyProtocol'], 'texts'),
  signal: 'signal',
  reusePort: 'boolean',
  ...shapesOf(['telemetry', 'upgradePath', 'descriptors', 'running', ...Object.keys(serveLimits)]),
};

const reloadOptions: OptionShapes = {
  ...shapesOf(['handler', 'codec', 'correlate', ...Object.keys(serveLimits)]),
  ...shapesOf(['allow', 'deny'], 'texts'),
  ...shapesOf(['data', 'errorReply', 'authorizeUpgrade'], 'function'),
  tls: 'object',
};

/** @throws YodelError `YODEL_INVALID_OPTION` for an option that {@link serve} does not have */
export function checkServeOptions(options: AnyServeOptions): void {
  const given: unknown = options;
  const hint = { function: '{ handler }', string: '{ listen: … }', number: '{ listen: … }' }[typeof given as string];
  if (hint) throw new YodelError('YODEL_INVALID_OPTION', `serve() takes an object of options: write serve(${hint})`);
  checkShapes(given, serveOptions, 'serve()');
  const { upgradePath } = options;
  if (upgradePath !== undefined && !String(upgradePath).startsWith('/'))
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `the option "upgradePath" is a path such as /chat, not ${upgradePath}`,
    );
}

/** @throws YodelError `YODEL_INVALID_OPTION` for an option that {@link Server.reload} does not have */
export function checkReloadOptions(options: AnyReloadOptions): void {
  checkShapes(options, reloadOptions, 'reload()');
}

/** @throws YodelError `YODEL_INVALID_OPTION` */
export function checkTls(tls: ServerTls | undefined): void {
  if (tls === undefined) return;
  refuseUnknown(tls, ['cert', 'key', 'sni', 'clientCa', 'alpn'], 'tls');
  for (const name of ['cert', 'key'] as const) checkPem(`tls.${name}`, tls[name]);
  if (tls.clientCa !== undefined) checkPem('tls.clientCa', tls.clientCa);
  for (const [server, { cert, key }] of Object.entries(tls.sni ?? {})) {
    checkPem(`tls.sni["${server}"].cert`, cert);
    checkPem(`tls.sni["${server}"].key`, key);
  }
}

/** The rules in these options. @throws YodelError `YODEL_INVALID_OPTION` */
export function admissionRulesOf({ allow, deny }: AnyServeOptions, limits: ServerLimits): AdmissionRules {
  return {
    // An empty list admits no peer, unlike a missing one.
    allow: allow && new AddressList('allow', allow),
    deny: addressListOf('deny', deny),
    perAddress: limits.maxConnectionsPerAddress,
    rate: limits.connectionRate,
  };
}

/** The networks of an option for which an empty list means none. @throws YodelError `YODEL_INVALID_OPTION` */
export function addressListOf(option: string, entries: readonly string[] | undefined): AddressList | undefined {
  return entries && entries.length > 0 ? new AddressList(option, entries) : undefined;
}

/** The addresses to listen on. @throws YodelError `YODEL_INVALID_OPTION`, `YODEL_INVALID_ADDRESS` */
export function listenAddressesOf({ listen, descriptors }: AnyServeOptions): SocketAddress[] {
  if (listen === false) {
    checkDescriptors(descriptors, 0);
    return [];
  }
  const all = Array.isArray(listen)
    ? (listen as readonly (Address | string | number)[])
    : [listen === undefined ? defaultAddress : listen];
  if (all.length === 0) {
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      'the option "listen" is empty; leave it out for the default, or set it to false to listen nowhere',
    );
  }
  checkDescriptors(descriptors, all.length);
  return all.map((one) => listenable(addressOf(one)));
}

/** @throws YodelError `YODEL_INVALID_ADDRESS` for a program, which nobody could connect to */
function listenable(address: Address): SocketAddress {
  if (address.scheme !== 'exec') return address;
  const text = `cannot listen on ${address}: it is an address to connect to; to give each client a program, use the handler exec`;
  throw new YodelError('YODEL_INVALID_ADDRESS', text);
}

/** @throws YodelError `YODEL_INVALID_OPTION` when the number of passed sockets is not the number of addresses */
export function checkDescriptors(descriptors: readonly number[] | undefined, addresses: number): void {
  if (!descriptors || descriptors.length === addresses) return;
  const counts = `descriptors: ${descriptors.length}, addresses: ${addresses}`;
  const text = `the number of passed sockets is not the number of addresses (${counts}); name the addresses with "listen"`;
  throw new YodelError('YODEL_INVALID_OPTION', text);
}
