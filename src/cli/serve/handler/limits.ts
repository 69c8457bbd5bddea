/** The limits that a handler has where no flag says others. */
import type { ServerLimits, SessionLimits } from '../../../options.ts';
import type { ServeSettings } from '../settings.ts';
import { chatLimits } from './chat.ts';
import { isProxy, proxyLimits } from './transparent.ts';

/** Those of `proxy:` and `chat`; others have the defaults. */
export function handlerLimits(settings: ServeSettings): Partial<ServerLimits & SessionLimits> {
  if (isProxy(settings)) return proxyLimits;
  return settings.handler === 'chat' ? chatLimits : {};
}
