/** Links over the transports. */
import type { Address } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import type { Connection } from '../transport/transport.ts';
import { dial } from './dial.ts';
import type { LinkReceiver, OpenedLink, OpenLink } from './link.ts';
import { MessageConnection, type MessageReceiver } from './message-connection.ts';
import { type ClientSettings, dialSettings } from './options.ts';

/** How a client with these settings connects to an address. */
export function linksTo(address: Address, settings: ClientSettings): OpenLink {
  return async (signal) => {
    try {
      return opened(address, settings, await dial(address, dialSettings(settings, signal)));
    } catch (cause) {
      if (signal?.aborted) throw cause;
      throw systemError(`cannot connect to ${address}`, cause);
    }
  };
}

function opened(address: Address, { protocol, limits }: ClientSettings, connection: Connection): OpenedLink {
  const { maxMessageLength } = limits;
  const { encoding } = protocol;
  return (receiver) =>
    new MessageConnection(
      connection,
      protocol,
      { maxMessageLength, onTooLong: 'close', encoding },
      new ErrorsNamed(address, receiver),
    );
}

/** Passes everything on, and errors with the address and what was lost. */
class ErrorsNamed implements MessageReceiver {
  readonly #address: Address;
  readonly #receiver: LinkReceiver;

  constructor(address: Address, receiver: LinkReceiver) {
    this.#address = address;
    this.#receiver = receiver;
  }

  onChunk(chunk: Uint8Array): void {
    this.#receiver.onChunk(chunk);
  }

  onBatch(batch: Parameters<MessageReceiver['onBatch']>[0]): void {
    this.#receiver.onBatch(batch);
  }

  onEnd(): void {
    this.#receiver.onEnd();
  }

  onClose(cause: Error | undefined, unsent: number): void {
    if (!cause) return this.#receiver.onClose(undefined);
    const lost = unsent > 0 ? `; ${unsent} bytes were not sent` : '';
    const { code, message } = systemError(`the connection to ${this.#address} broke`, cause);
    this.#receiver.onClose(new YodelError(code, message + lost, { cause }));
  }
}
