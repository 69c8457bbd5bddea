import { type Address, addressOf, defaultAddress } from '../../address.ts';
import type { MaybeCodec } from '../../codec/codec.ts';
import { checkShapes, shapesOf } from '../../option-shapes.ts';
import { resolveOptions } from '../../option-values.ts';
import { poolOptions } from '../../options.ts';
import { linksTo } from '../open-link.ts';
import { knownOptions, resolveClientOptions } from '../options.ts';
import { MessagePool, type PoolSettings } from './message-pool.ts';
import type { Pool, PoolOptions } from './pool.ts';

const { onStateChange: _, ...ofEachClient } = knownOptions;
const poolShapes = { ...ofEachClient, onMessage: 'function', ...shapesOf(Object.keys(poolOptions)) } as const;

/**
 * Connects to a server with several connections. Resolves when the first one is open; more are opened when they are needed.
 *
 * ```ts
 * const pool = await connectPool('127.0.0.1:7878', { size: 8 });
 * const replies = await Promise.all(names.map((name) => pool.request(name)));
 * ```
 *
 * @param address as for `connect`
 * @throws YodelError as `connect`
 */
export async function connectPool(): Promise<Pool>;
export async function connectPool<C extends MaybeCodec = undefined>(
  address: Address | string | number,
  options?: PoolOptions<C>,
): Promise<Pool<C>>;
export async function connectPool(...given: [unknown?, PoolOptions?]): Promise<Pool> {
  const [address, options = {}] = given;
  const to = given.length === 0 ? defaultAddress : addressOf(address);
  checkShapes(options, poolShapes, 'connectPool()');
  const { onMessage, size: _size, maxWaiting: _maxWaiting, ...clientOptions } = options;
  const client = resolveClientOptions({ reconnect: true, ...clientOptions });
  const limits = resolveOptions(poolOptions, options);
  const pool = new MessagePool({
    address: to,
    open: linksTo(to, client),
    client,
    limits,
    onMessage: onMessage as PoolSettings['onMessage'],
    signal: options.signal,
  });
  await pool.start();
  return pool as unknown as Pool;
}
