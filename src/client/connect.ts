import { type Address, defaultAddress, parseAddress } from '../address.ts';
import type { MaybeCodec } from '../codec/codec.ts';
import type { Client } from './client.ts';
import { dial } from './dial.ts';
import { MessageClient } from './message-client.ts';
import { type ConnectOptions, dialSettings, resolveClientOptions } from './options.ts';

/**
 * Connects to a server.
 *
 * ```ts
 * await using client = await connect('127.0.0.1:7878');
 * const reply = await client.request('hello');
 * ```
 *
 * @param address default `tcp://127.0.0.1:7878`
 * @throws YodelError `YODEL_CONNECTION_REFUSED`, `YODEL_CONNECT_TIMEOUT`, `YODEL_HOST_NOT_FOUND`, `YODEL_INVALID_ADDRESS`,
 *   `YODEL_INVALID_OPTION`, …; the signal's reason when it is aborted
 */
export async function connect<C extends MaybeCodec = undefined>(
  address: Address | string | number = defaultAddress,
  options: ConnectOptions<C> = {},
): Promise<Client<C>> {
  const settings = resolveClientOptions(options);
  const { signal } = options;
  const to = typeof address === 'object' ? address : parseAddress(address);
  const connection = await dial(to, dialSettings(settings, signal));
  // The signal may have been aborted in the turn of the event loop in which the connection was established.
  if (signal?.aborted) {
    connection.abort();
    throw signal.reason;
  }
  const client = new MessageClient(to, settings, connection);
  const abort = () => client.abort();
  signal?.addEventListener('abort', abort, { once: true });
  void client.closed.then(() => signal?.removeEventListener('abort', abort));
  return client as unknown as Client<C>;
}
