/** NATS as a broker: core publish and subscribe. */
import type { ConnectionOptions, NatsConnection, Subscription } from '@nats-io/transport-node';
import { type BrokerAddress, connectMs } from './address.ts';
import type { Broker, BrokerConnection, BrokerHistory, BrokerReceiver } from './broker.ts';

/** What a packet takes besides its bytes. */
const overhead = 1024;

/** See the top of the file. */
export class NatsBroker implements Broker {
  readonly name: string;
  readonly #address: BrokerAddress;
  readonly #library: typeof import('@nats-io/transport-node');

  constructor(address: BrokerAddress, library: typeof import('@nats-io/transport-node')) {
    this.#address = address;
    this.#library = library;
    this.name = `NATS at ${address.host}:${address.port}`;
  }

  async connect(receiver: BrokerReceiver): Promise<BrokerConnection> {
    const { connect, credsAuthenticator } = this.#library;
    const { credentials } = this.#address;
    const connection = await connect({
      ...natsOptions(this.#address),
      ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(Buffer.from(credentials)) }),
    });
    return new NatsBrokerConnection(connection, receiver);
  }
}

/** Connected once: what is published while the client library reconnects would be lost without a word. */
function natsOptions({ host, port, user, password, token, tls }: BrokerAddress): ConnectionOptions {
  return {
    servers: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    ...(user === undefined ? {} : { user, pass: password ?? '' }),
    ...(token === undefined ? {} : { token }),
    ...(tls ? { tls: tls.ca === undefined ? {} : { ca: tls.ca } } : {}),
    name: 'yodel',
    noEcho: true,
    reconnect: false,
    ignoreClusterUpdates: true,
    timeout: connectMs,
  };
}

class NatsBrokerConnection implements BrokerConnection {
  readonly #connection: NatsConnection;
  readonly #receiver: BrokerReceiver;
  readonly #subscriptions = new Map<string, Subscription>();
  #isOpen = true;

  constructor(connection: NatsConnection, receiver: BrokerReceiver) {
    this.#connection = connection;
    this.#receiver = receiver;
    void this.#watch();
    void connection.closed().then((error) => this.#closed(error ? error.message : 'it closed the connection'));
  }

  get maxPacket(): number {
    return (this.#connection.info?.max_payload ?? 65_536) - overhead;
  }

  subscribe(subjects: readonly string[]): void {
    if (!this.#isOpen) return;
    for (const subject of subjects) this.#subscriptions.set(subject, this.#subscribe(subject));
  }

  unsubscribe(subjects: readonly string[]): void {
    for (const subject of subjects) {
      this.#subscriptions.get(subject)?.unsubscribe();
      this.#subscriptions.delete(subject);
    }
  }

  publish(subject: string, packet: Buffer): void {
    if (!this.#isOpen) return;
    try {
      this.#connection.publish(subject, packet);
    } catch (error) {
      this.#receiver.refused((error as Error).message);
    }
  }

  roundTrip(): Promise<void> {
    return this.#connection.flush();
  }

  openHistory(): Promise<BrokerHistory> {
    return Promise.reject(new Error('not yet'));
  }

  async close(): Promise<void> {
    await this.roundTrip().catch(() => undefined);
    this.abort();
  }

  abort(): void {
    this.#isOpen = false;
    void this.#connection.close();
  }

  #subscribe(subject: string): Subscription {
    const callback = (error: Error | null, message: { readonly data: Uint8Array }) => {
      if (!this.#isOpen) return;
      if (error) return this.#receiver.refused(error.message);
      const { buffer, byteOffset, length } = message.data;
      this.#receiver.received(Buffer.from(buffer, byteOffset, length));
    };
    return this.#connection.subscribe(subject, { callback });
  }

  /** Errors that concern one command come here. */
  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'error' && this.#isOpen) this.#receiver.refused(status.error.message);
    }
  }

  #closed(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#receiver.closed(reason);
  }
}
