/** The options of `connect()` in a page. */
import {
  type AnyClientOptions,
  type ClientOptions,
  clientOptionShapes,
  type MessageClientSettings,
  resolveClientSettings,
} from '../client/client-settings.ts';
import type { Clock } from '../clock.ts';
import type { MaybeCodec } from '../codec/codec.ts';
import { checkShapes, shapesOf } from '../option-shapes.ts';
import { pageClock } from './clock.ts';
import { type Environment, globals } from './environment.ts';

/** Options of {@link connect}. Times are milliseconds, sizes are bytes. The defaults are those of the library. */
export interface BrowserConnectOptions<C extends MaybeCodec = undefined> extends ClientOptions<C> {
  /** Not for browsers: they answer the server's pings, and send none. */
  readonly pingInterval?: undefined;
  /** Not for browsers. */
  readonly keepAlive?: undefined;
  /** @internal For tests. */
  readonly clock?: Clock | undefined;
  /** @internal For tests. */
  readonly environment?: Environment | undefined;
}

/** @internal Options of any type. */
export type AnyBrowserOptions = AnyClientOptions & Pick<BrowserConnectOptions, 'clock' | 'environment'>;

/** @internal The options with their defaults filled in. */
export interface BrowserSettings extends MessageClientSettings {
  readonly environment: Environment;
}

const { pingInterval: _pingInterval, keepAlive: _keepAlive, ...ofPages } = clientOptionShapes;
const known = { ...ofPages, ...shapesOf(['clock', 'environment'], 'object') };

/**
 * @internal
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function resolveBrowserOptions(options: AnyBrowserOptions): BrowserSettings {
  checkShapes(options, known, 'connect()');
  const { clock = pageClock, environment = globals } = options;
  return { ...resolveClientSettings(options, clock, throwLater), environment };
}

/** Pages learn of it as of any other uncaught error. */
function throwLater(thrown: unknown): void {
  queueMicrotask(() => {
    throw thrown;
  });
}
