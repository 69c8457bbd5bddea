/** Keep-alive of TCP. */
import type { Address } from '../address.ts';
import { clientOptions } from '../options.ts';

/**
 * How long a connection at this address may be silent before its peer is probed, in milliseconds. 0: never. TCP counts in
 * seconds, and the runtimes ignore less than one.
 *
 * @param keepAlive the option of that name
 */
export function keepAliveDelay(address: Address, keepAlive: number = clientOptions.keepAlive.default): number {
  return keepAlive === 0 || address.scheme === 'unix' ? 0 : Math.max(1000, keepAlive);
}
