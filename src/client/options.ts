/** The options of `connect()`: their types, checks and defaults. */

import { type Clock, realClock } from '../clock.ts';
import type { MaybeCodec } from '../codec/codec.ts';
import { YodelError } from '../errors.ts';
import type { Protocol } from '../framing/protocol.ts';
import { resolveWire, type WireOptions } from '../framing/wire.ts';
import { type OptionalValues, refuseUnknown, resolveOptions } from '../option-values.ts';
import { type ClientLimits, clientOptions, type ReconnectLimits, reconnectOptions } from '../options.ts';
import { type Correlate, checkCorrelate } from '../requests/correlation.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type { TlsOptions, Transport } from '../transport/transport.ts';
import type { DialSettings } from './dial.ts';

/** The state of a client. `message-client.ts` has the table of states. */
export type ClientState = 'open' | 'reconnecting' | 'ending' | 'closed';

/** Options of {@link connect}. Times are milliseconds, sizes are bytes; the reference lists every limit. */
export interface ConnectOptions<C extends MaybeCodec = undefined> extends WireOptions, OptionalValues<ClientLimits> {
  /** Converts between messages and the values that the client gets and gives, such as `json()`. Default: none. */
  readonly codec?: C | undefined;
  /** How replies are matched to requests. Default: by order. */
  readonly correlate?: Correlate<NoInfer<C>> | undefined;
  /** Which certificates to accept over TLS. Default: those the runtime trusts, for the address's host name. */
  readonly tls?: TlsOptions | undefined;
  /** Aborts the attempt to connect, and later the connection. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether to reconnect when an open connection is lost. Default: no. Requests in flight are rejected, and unsent
   * messages are lost; nothing is sent a second time.
   */
  readonly reconnect?: boolean | OptionalValues<ReconnectLimits> | undefined;
  /**
   * For `exec:` addresses: receives what the program prints on stderr, line by line, without the newline and not escaped.
   * Default: its last lines are in the error if it fails.
   */
  readonly stderr?: ((line: string) => void) | undefined;
  /** Called on each change of state, with the error that caused it, if any. Must not throw. */
  readonly onStateChange?: ((state: ClientState, error: YodelError | undefined) => void) | undefined;
  /** @internal Called when bytes have arrived, after their messages. */
  readonly onReceived?: (() => void) | undefined;
  /** For tests: what carries the bytes, such as `memoryTransport()` of `yodel/testing`. Default: sockets. */
  readonly transport?: Transport | undefined;
  /** For tests: the time of all limits and time-outs, such as `fakeClock()` of `yodel/testing`. Default: real time. */
  readonly clock?: Clock | undefined;
}

/** @internal Options of any type. */
// biome-ignore lint/suspicious/noExplicitAny: a codec receives some types and sends others
export type AnyConnectOptions = ConnectOptions<any>;

/** @internal The options with their defaults filled in. */
export interface ClientSettings {
  readonly protocol: Protocol;
  readonly tls: TlsOptions;
  readonly limits: ClientLimits;
  // biome-ignore lint/suspicious/noExplicitAny: the values are whatever the codec makes of them
  readonly correlate: Correlate<any> | undefined;
  readonly reconnect: ReconnectLimits | undefined;
  readonly stderr: ((line: string) => void) | undefined;
  readonly onStateChange: ((state: ClientState, error: YodelError | undefined) => void) | undefined;
  readonly onReceived: (() => void) | undefined;
  readonly transport: Transport;
  readonly clock: Clock;
}

/**
 * @internal
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function resolveClientOptions(options: AnyConnectOptions): ClientSettings {
  refuseUnknown(options, knownOptions, 'connect()');
  checkCorrelate(options.correlate);
  return {
    protocol: resolveWire(options),
    tls: resolveTls(options.tls),
    limits: resolveOptions(clientOptions, options),
    correlate: options.correlate,
    reconnect: resolveReconnect(options.reconnect),
    stderr: options.stderr,
    onStateChange: options.onStateChange,
    onReceived: options.onReceived,
    transport: options.transport ?? runtimeTransport,
    clock: options.clock ?? realClock,
  };
}

/** @internal How a client with these settings connects. */
export function dialSettings(
  { tls, limits, stderr, transport, clock }: ClientSettings,
  signal?: AbortSignal,
): DialSettings {
  const { connectTimeout: timeoutMs, keepAlive, pingInterval } = limits;
  return { timeoutMs, tls, keepAlive, pingInterval, stderr, transport, clock, signal };
}

const knownOptions = [
  ...[
    'framing',
    'replyFraming',
    'protocol',
    'encoding',
    'correlate',
    'tls',
    'signal',
    'reconnect',
    'stderr',
    'onStateChange',
    'onReceived',
    'transport',
    'clock',
  ],
  ...Object.keys(clientOptions),
];

function resolveTls(tls: TlsOptions = {}): TlsOptions {
  if (typeof tls !== 'object' || tls === null) {
    throw new YodelError('YODEL_INVALID_OPTION', `the option "tls" takes an object, not ${String(tls)}`);
  }
  refuseUnknown(tls, ['ca', 'servername', 'insecure', 'cert', 'key'], 'tls');
  return tls;
}

function resolveReconnect(reconnect: ConnectOptions['reconnect']): ReconnectLimits | undefined {
  if (reconnect === undefined || reconnect === false) return undefined;
  const given = reconnect === true ? {} : reconnect;
  if (typeof given !== 'object' || given === null) {
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `the option "reconnect" takes true, false or an object, not ${String(given)}`,
    );
  }
  refuseUnknown(given, Object.keys(reconnectOptions), 'reconnect');
  const limits = resolveOptions(reconnectOptions, given);
  if (limits.minDelay > limits.maxDelay) {
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `minDelay (${limits.minDelay}) is above maxDelay (${limits.maxDelay})`,
    );
  }
  return limits;
}
