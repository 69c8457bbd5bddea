/** The options of `connect()` in a page. */
import {
  type AnyClientOptions,
  type ClientOptions,
  clientOptionNames,
  type MessageClientSettings,
  resolveClientSettings,
} from '../client/client-settings.ts';
import type { Clock } from '../clock.ts';
import type { MaybeCodec } from '../codec/codec.ts';
import { refuseUnknown } from '../option-values.ts';
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

const foreign = ['pingInterval', 'keepAlive'];
const known = [...clientOptionNames.filter((name) => !foreign.includes(name)), 'clock', 'environment'];

/**
 * @internal
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function resolveBrowserOptions(options: AnyBrowserOptions): BrowserSettings {
  refuseUnknown(options, known, 'connect()');
  const { clock = pageClock, environment = globals } = options;
  return { ...resolveClientSettings(options, clock), environment };
}
