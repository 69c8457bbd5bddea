/** How many messages of a session its handler works on at a time. */
import type { SessionSettings } from '../settings.ts';

/** The option `concurrency`; 1 where it does not apply. */
export function concurrencyOf({ handler, limits }: SessionSettings): number {
  return handler.message && !handler.sequential && !handler.startsTls ? limits.concurrency : 1;
}
