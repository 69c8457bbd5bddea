/** The options of a client that do not depend on how it connects: their types, checks and defaults. */
import type { Clock } from '../clock.ts';
import type { AnyCodec, MaybeCodec } from '../codec/codec.ts';
import { checkCodec } from '../codec/values.ts';
import { YodelError } from '../errors.ts';
import { checkShapes, kindOf, type OptionShapes, shapesOf } from '../option-shapes.ts';
import { type OptionalValues, resolveOptions } from '../option-values.ts';
import { type ClientLimits, clientOptions, type ReconnectLimits, reconnectOptions } from '../options.ts';
import { type Correlate, checkCorrelate } from '../requests/correlation.ts';
import type { Report } from './callback.ts';
import type { ClientState, NewConnection } from './client.ts';

/** Options of any client. Times are milliseconds, sizes are bytes; the reference lists every limit. */
export interface ClientOptions<C extends MaybeCodec = undefined> extends OptionalValues<ClientLimits> {
  /**
   * Converts between messages and the values that the client gets and gives, such as `json()`. Default: none.
   *
   * A message that it refuses rejects the request that it answers, if replies are matched by order, else what takes it from the iteration:
   * with `YODEL_UNDECODABLE_MESSAGE`. The connection stays, and the next message can be taken.
   */
  readonly codec?: C | undefined;
  /**
   * How replies are matched to requests. Default: by order, with checks: a message that answers no request, after a request was
   * answered, shows that replies and other messages may have been mixed up. From then on requests are rejected with
   * `YODEL_REPLY_MISMATCH` until the client reconnects. `'order'` is without checks.
   */
  readonly correlate?: Correlate<NoInfer<C>> | undefined;
  /** Aborts the attempts to connect, and later the connection. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether to reconnect when an open connection is lost. Default: no. Requests in flight are rejected, and unsent
   * messages are lost; nothing is sent a second time.
   */
  readonly reconnect?: boolean | ReconnectOptions | undefined;
  /**
   * Prepares each new connection before anybody else can send on it: logs in, or subscribes again. Until it is done, `connect()`
   * does not resolve, the state is not `open`, and `send` and `request` of the client are refused. Messages that are no replies
   * wait for the iteration, except those that it takes with `connection.receive()`.
   *
   * If it throws, or takes longer than `connectTimeout`, the connection is closed and the attempt to connect has failed: `connect()`
   * rejects with what was thrown if that is a YodelError (also one with a code of your own), else with `YODEL_SETUP_FAILED` and the error
   * as its cause; with `reconnect` the client tries again.
   */
  readonly onConnect?: ((connection: NewConnection<NoInfer<C>>) => void | Promise<void>) | undefined;
  /**
   * Called on each change of state, with the error that caused it, if any. What it throws, or rejects with, is a warning of the process,
   * and an uncaught error of a page.
   */
  readonly onStateChange?: ((state: ClientState, error: YodelError | undefined) => void) | undefined;
}

/** How a client reconnects. */
export interface ReconnectOptions extends OptionalValues<ReconnectLimits> {
  /**
   * Whether to retry the first connection as well: `connect()` then resolves once it is connected, and rejects with the last error when
   * `maxAttempts` have failed. Default: false; `connect()` rejects when its only attempt has failed.
   */
  readonly initial?: boolean | undefined;
}

/** @internal Options of any type. */
// biome-ignore lint/suspicious/noExplicitAny: a codec receives some types and sends others
export type AnyClientOptions = ClientOptions<any>;

/** @internal The options with their defaults filled in. */
export interface MessageClientSettings {
  readonly limits: ClientLimits;
  readonly codec: AnyCodec | undefined;
  readonly correlate: AnyClientOptions['correlate'];
  readonly reconnect: ReconnectLimits | undefined;
  /** Whether the first connection is retried, too. */
  readonly retriesFirst: boolean;
  readonly onConnect: AnyClientOptions['onConnect'];
  readonly onStateChange: AnyClientOptions['onStateChange'];
  /** Called when bytes have arrived, after their messages. */
  readonly onReceived?: (() => void) | undefined;
  readonly clock: Clock;
  /** Receives what the program's callbacks throw. */
  readonly report: Report;
}

/** @internal These options, for `checkShapes`. */
export const clientOptionShapes: OptionShapes = {
  ...shapesOf(['codec', 'correlate', 'reconnect', ...Object.keys(clientOptions)]),
  ...shapesOf(['onConnect', 'onStateChange'], 'function'),
  signal: 'signal',
};

const reconnectShapes: OptionShapes = { ...shapesOf(Object.keys(reconnectOptions)), initial: 'boolean' };

/**
 * @internal Checks the values of the options and adds the defaults. Names and shapes are checked before.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function resolveClientSettings(options: AnyClientOptions, clock: Clock, report: Report): MessageClientSettings {
  const { correlate, reconnect, onConnect, onStateChange } = options;
  checkCorrelate(correlate);
  return {
    limits: resolveOptions(clientOptions, options),
    codec: checkCodec(options.codec),
    correlate,
    reconnect: resolveReconnect(reconnect),
    retriesFirst: typeof reconnect === 'object' && reconnect.initial === true,
    onConnect,
    onStateChange,
    clock,
    report,
  };
}

function resolveReconnect(reconnect: AnyClientOptions['reconnect']): ReconnectLimits | undefined {
  if (reconnect === undefined || reconnect === false) return undefined;
  const given = reconnect === true ? {} : reconnect;
  if (typeof given !== 'object')
    throw refused(`the option "reconnect" takes true, false or an object, not ${kindOf(given)}`);
  checkShapes(given, reconnectShapes, 'reconnect');
  const limits = resolveOptions(reconnectOptions, given);
  if (limits.minDelay > limits.maxDelay) {
    throw refused(`minDelay (${limits.minDelay}) is above maxDelay (${limits.maxDelay})`);
  }
  return limits;
}

function refused(text: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', text);
}
