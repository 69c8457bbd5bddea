/** The options of `connect()`: their types, checks and defaults. */

import { type Clock, realClock } from '../clock.ts';
import type { MaybeCodec } from '../codec/codec.ts';
import { YodelError } from '../errors.ts';
import type { Protocol } from '../framing/protocol.ts';
import { resolveWire, type WireOptions } from '../framing/wire.ts';
import { checkShapes, type OptionShapes, shapesOf } from '../option-shapes.ts';
import { refuseUnknown } from '../option-values.ts';
import { checkPem } from '../transport/pem.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type { TlsOptions, Transport } from '../transport/transport.ts';
import { Warnings } from '../warnings.ts';
import {
  type ClientOptions,
  clientOptionShapes,
  type MessageClientSettings,
  resolveClientSettings,
} from './client-settings.ts';
import type { DialSettings } from './dial.ts';

/** Options of {@link connect}. Times are milliseconds, sizes are bytes; the reference lists every limit. */
export interface ConnectOptions<C extends MaybeCodec = undefined> extends WireOptions, ClientOptions<C> {
  /** Which certificates to accept over TLS. Default: those the runtime trusts, for the address's host name. */
  readonly tls?: TlsOptions | undefined;
  /**
   * For `exec:` addresses: receives what the program prints on stderr, line by line, without the newline and not escaped.
   * Default: its last lines are in the error if it fails.
   */
  readonly stderr?: ((line: string) => void) | undefined;
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
export interface ClientSettings extends MessageClientSettings {
  readonly protocol: Protocol;
  readonly tls: TlsOptions;
  readonly stderr: ((line: string) => void) | undefined;
  readonly transport: Transport;
}

/**
 * @internal
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function resolveClientOptions(options: AnyConnectOptions): ClientSettings {
  checkShapes(options, knownOptions, 'connect()');
  const warnings = new Warnings();
  return {
    ...resolveClientSettings(options, options.clock ?? realClock, (thrown) => warnings.emit(thrown)),
    protocol: resolveWire(options),
    tls: resolveTls(options.tls),
    stderr: options.stderr,
    onReceived: options.onReceived,
    transport: options.transport ?? runtimeTransport,
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

/** @internal The options of `connect()`. */
export const knownOptions: OptionShapes = {
  ...clientOptionShapes,
  ...shapesOf(['framing', 'replyFraming', 'protocol', 'encoding', 'tls']),
  ...shapesOf(['stderr', 'onReceived'], 'function'),
  ...shapesOf(['transport', 'clock'], 'object'),
};

function resolveTls(tls: TlsOptions = {}): TlsOptions {
  if (typeof tls !== 'object' || tls === null) {
    throw new YodelError('YODEL_INVALID_OPTION', `the option "tls" takes an object, not ${String(tls)}`);
  }
  refuseUnknown(tls, ['ca', 'servername', 'insecure', 'cert', 'key'], 'tls');
  for (const name of ['ca', 'cert', 'key'] as const) if (tls[name] !== undefined) checkPem(`tls.${name}`, tls[name]);
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const [given, missing] = tls.cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    throw new YodelError('YODEL_INVALID_OPTION', `the option "tls.${given}" needs "tls.${missing}" as well`);
  }
  return tls;
}
