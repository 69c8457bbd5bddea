import { type Address, addressOf, defaultAddress } from '../address.ts';
import type { MaybeCodec } from '../codec/codec.ts';
import { ClientEvents } from './channels.ts';
import type { Client } from './client.ts';
import { MessageClient } from './message-client.ts';
import { linksTo } from './open-link.ts';
import { type ConnectOptions, resolveClientOptions } from './options.ts';

/**
 * Connects to a server.
 *
 * ```ts
 * const client = await connect('127.0.0.1:7878');
 * const reply = await client.request('hello');
 * ```
 *
 * @param address default, if there is no argument at all: `tcp://127.0.0.1:7878` (`defaultAddress`). `connect(undefined)` is refused,
 *   because it is usually a setting that is missing
 * @throws YodelError `YODEL_CONNECTION_REFUSED`, `YODEL_CONNECT_TIMEOUT`, `YODEL_HOST_NOT_FOUND`, `YODEL_INVALID_ADDRESS`,
 *   `YODEL_INVALID_OPTION`, `YODEL_SETUP_FAILED`, …; the signal's reason when it is aborted
 */
export async function connect(): Promise<Client>;
export async function connect<C extends MaybeCodec = undefined>(
  address: Address | string | number,
  options?: ConnectOptions<C>,
): Promise<Client<C>>;
export async function connect(...given: [unknown?, ConnectOptions?]): Promise<Client> {
  const [address, options = {}] = given;
  const to = given.length === 0 ? defaultAddress : addressOf(address);
  const settings = resolveClientOptions(options);
  const events = new ClientEvents();
  const client = new MessageClient(to, linksTo(to, settings), {
    ...settings,
    onStateChange(state, error) {
      events.changed(asClient, state, error);
      return settings.onStateChange?.(state, error);
    },
  });
  const asClient = client as unknown as Client;
  try {
    await client.start(options.signal);
  } catch (error) {
    events.failed(asClient, error);
    throw error;
  }
  events.connected(asClient);
  return asClient;
}
