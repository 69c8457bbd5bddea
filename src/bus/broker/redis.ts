/** Redis as a broker: PUBLISH and SUBSCRIBE. */
import { isIP } from 'node:net';
import type { Redis } from 'ioredis';
import { type BrokerAddress, connectMs } from './address.ts';
import type { Broker, BrokerConnection, BrokerHistory, BrokerReceiver } from './broker.ts';

/** Redis takes up to 512 MB. Longer packets would delay others that use the same server. */
const maxPacket = 1_048_576;

/** See the top of the file. */
export class RedisBroker implements Broker {
  readonly name: string;
  readonly #address: BrokerAddress;
  readonly #library: Pick<typeof import('ioredis'), 'Redis'>;

  constructor(address: BrokerAddress, library: Pick<typeof import('ioredis'), 'Redis'>) {
    this.#address = address;
    this.#library = library;
    this.name = `Redis at ${address.host}:${address.port}`;
  }

  async connect(receiver: BrokerReceiver): Promise<BrokerConnection> {
    const connection = new RedisConnection(receiver, () => this.client());
    await connection.open();
    return connection;
  }

  /** A client that has not connected yet. @param isAnonymous whether it gives no credentials */
  client({ isAnonymous = false }: { readonly isAnonymous?: boolean } = {}): Redis {
    const { Redis } = this.#library;
    const nobody = { user: undefined, password: undefined };
    const options = redisOptions(isAnonymous ? { ...this.#address, ...nobody } : this.#address);
    return new Redis(isAnonymous ? { ...options, enableReadyCheck: false } : options);
  }
}

/** Connected once: no queue while offline, nothing subscribed or sent again by itself. */
function redisOptions({ host, port, user, password, database, tls }: BrokerAddress) {
  return {
    host,
    port,
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { db: database }),
    ...(tls ? { tls: { ...serverNameOf(host), ...(tls.ca === undefined ? {} : { ca: tls.ca }) } } : {}),
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: connectMs,
    connectionName: 'yodel',
    // It would need a permission that Redis before 7.2 does not know.
    disableClientInfo: true,
  };
}

/** The name that the server's certificate must have. An address is not allowed there, and is compared even so. */
function serverNameOf(host: string): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}

/** Two connections: Redis wants none of its other commands on one that subscribes. */
class RedisConnection implements BrokerConnection {
  readonly maxPacket = maxPacket;
  readonly #receiver: BrokerReceiver;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  #isOpen = true;
  /** Something was published in this turn. */
  #isJoining = false;
  /** Why the connection was lost, as far as it was reported. */
  #reason = 'it closed the connection';

  constructor(receiver: BrokerReceiver, create: () => Redis) {
    this.#receiver = receiver;
    this.#publisher = create();
    this.#subscriber = create();
    for (const client of [this.#publisher, this.#subscriber]) {
      client.on('error', (error: Error) => {
        this.#reason = error.message;
      });
      client.on('close', () => this.#closed());
    }
    this.#subscriber.on('messageBuffer', (_channel: Buffer, message: Buffer) => {
      if (this.#isOpen) receiver.received(message);
    });
  }

  async open(): Promise<void> {
    try {
      await Promise.all([this.#publisher.connect(), this.#subscriber.connect()]);
    } catch {
      this.abort();
      throw new Error(this.#reason);
    }
  }

  subscribe(subjects: readonly string[]): void {
    if (subjects.length > 0) this.#report(this.#subscriber.subscribe(...subjects));
  }

  unsubscribe(subjects: readonly string[]): void {
    if (subjects.length > 0) this.#report(this.#subscriber.unsubscribe(...subjects));
  }

  publish(subject: string, packet: Buffer): void {
    this.#report(this.#publisher.publish(subject, packet));
    if (!this.#isJoining) this.#joinWrites();
  }

  async roundTrip(): Promise<void> {
    await Promise.all([this.#publisher.ping(), this.#subscriber.ping()]);
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
    this.#publisher.disconnect();
    this.#subscriber.disconnect();
  }

  /**
   * The client library writes each command on its own. The first one of a turn is sent at once, and what follows, such as that of other
   * rooms, in one write at its end: a write costs twice as much as the rest.
   */
  #joinWrites(): void {
    const { stream } = this.#publisher;
    this.#isJoining = true;
    stream.cork();
    queueMicrotask(() => {
      this.#isJoining = false;
      stream.uncork();
    });
  }

  #report(command: Promise<unknown>): void {
    command.catch((error: Error) => {
      // The client refuses commands shortly before it reports the loss of a connection.
      const isLost = [this.#publisher, this.#subscriber].some(({ status }) => status !== 'ready');
      if (this.#isOpen && !isLost) this.#receiver.refused(error.message);
    });
  }

  #closed(): void {
    if (!this.#isOpen) return;
    this.abort();
    this.#receiver.closed(this.#reason);
  }
}
