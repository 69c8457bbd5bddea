import { isLoopback, type WebSocketAddress } from '../address.ts';
import type { Client } from '../client/client.ts';
import type { OpenLink } from '../client/link.ts';
import { MessageClient } from '../client/message-client.ts';
import type { MaybeCodec } from '../codec/codec.ts';
import { resolveAddress } from './address.ts';
import { online, onReturn } from './network.ts';
import { openSocket } from './open-socket.ts';
import { type BrowserConnectOptions, type BrowserSettings, resolveBrowserOptions } from './options.ts';

/**
 * Connects to a server, over the WebSocket of the browser.
 *
 * ```ts
 * const client = await connect('/chat', { reconnect: true });
 * const reply = await client.request('hello');
 * ```
 *
 * @param address `wss://HOST:PORT/PATH`, `ws://…`, or relative to the page, which it must be complete without. Default, if there is no
 *   argument at all: the page's own host, with the path `/`. `connect(undefined)` is refused, because it is usually a setting that is
 *   missing
 * @throws YodelError `YODEL_CONNECTION_REFUSED`, `YODEL_WEBSOCKET_REFUSED`, `YODEL_CONNECT_TIMEOUT`, `YODEL_INVALID_ADDRESS`,
 *   `YODEL_INVALID_OPTION`; what `onConnect` throws; the signal's reason when it is aborted
 */
export async function connect(): Promise<Client>;
export async function connect<C extends MaybeCodec = undefined>(
  address: string | { readonly href: string },
  options?: BrowserConnectOptions<C>,
): Promise<Client<C>>;
export async function connect(...given: [unknown?, BrowserConnectOptions?]): Promise<Client> {
  const [address, options = {}] = given;
  const settings = resolveBrowserOptions(options);
  const { environment, onStateChange } = settings;
  const to = resolveAddress(given.length === 0 ? '/' : address, environment);
  let stopWaiting: (() => void) | undefined;
  const client: MessageClient = new MessageClient(to, opener(to, settings), {
    ...settings,
    onStateChange(state, error) {
      stopWaiting?.();
      stopWaiting = state === 'reconnecting' ? onReturn(environment, () => client.retryNow()) : undefined;
      return onStateChange?.(state, error);
    },
  });
  await client.start(options.signal);
  return client as unknown as Client;
}

/** How the client connects, the first time and again. */
function opener(address: WebSocketAddress, settings: BrowserSettings): OpenLink {
  const { limits, clock, environment, retriesFirst } = settings;
  let waits = retriesFirst;
  return async (signal) => {
    // An attempt without a network would only count. This machine can be reached without one.
    if (waits && !isLoopback(address)) await online(environment, signal);
    waits = true;
    const link = await openSocket(address, { ...limits, clock, environment, signal });
    return (receiver) => link.start(receiver);
  };
}
