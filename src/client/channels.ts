/** What happens to clients, on channels of `node:diagnostics_channel`: see `server/channels.ts`. */
import { channel } from 'node:diagnostics_channel';
import type { YodelError } from '../errors.ts';
import type { Client, ClientState } from './client.ts';

/** What is published on each channel of clients. */
export interface ClientChannelMessages {
  /** The client is connected: for the first time, or again. */
  readonly 'yodel:client:connected': { readonly client: Client };
  /** The connection is lost, and the client reconnects. */
  readonly 'yodel:client:disconnected': { readonly client: Client; readonly error: YodelError | undefined };
  /**
   * The client is closed, for good, or could not connect at all. `error` is undefined after a normal end; of a client that could not
   * connect it is what `connect()` rejects with, such as the reason of a signal.
   */
  readonly 'yodel:client:closed': { readonly client: Client; readonly error: unknown };
}

const connected = channel('yodel:client:connected' satisfies keyof ClientChannelMessages);
const disconnected = channel('yodel:client:disconnected' satisfies keyof ClientChannelMessages);
const closed = channel('yodel:client:closed' satisfies keyof ClientChannelMessages);

/** Publishes what happens to one client. */
export class ClientEvents {
  /** Whether it was connected once: before that, no change of state is an event. */
  #wasConnected = false;

  /** The first connection. */
  connected(client: Client): void {
    this.#wasConnected = true;
    if (connected.hasSubscribers) connected.publish({ client });
  }

  /** There is no first connection. */
  failed(client: Client, error: unknown): void {
    if (closed.hasSubscribers) closed.publish({ client, error });
  }

  changed(client: Client, state: ClientState, error: YodelError | undefined): void {
    if (!this.#wasConnected) return;
    if (state === 'open') this.connected(client);
    else if (state === 'reconnecting' && disconnected.hasSubscribers) disconnected.publish({ client, error });
    else if (state === 'closed' && closed.hasSubscribers) closed.publish({ client, error });
  }
}
