/** Connects, or says that it took too long. */
import type { Address } from '../address.ts';
import { YodelError } from '../errors.ts';
import { runtimeTransport } from './runtime.ts';
import type { Connection, TlsOptions } from './transport.ts';

/**
 * Resolves when connected.
 *
 * @param withinMs 0 for as long as the operating system tries
 * @throws YodelError `YODEL_CONNECT_TIMEOUT`; others as `Transport.connect`
 */
export async function connectWithin(address: Address, withinMs: number, tls: TlsOptions): Promise<Connection> {
  const signal = withinMs === 0 ? undefined : AbortSignal.timeout(withinMs);
  return await runtimeTransport.connect(address, { signal, tls }).catch((error: unknown) => {
    if (!signal?.aborted) throw error;
    throw new YodelError('YODEL_CONNECT_TIMEOUT', `cannot connect to ${address}: no answer within ${withinMs} ms`);
  });
}
