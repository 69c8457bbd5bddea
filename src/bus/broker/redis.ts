/** Redis as a broker: PUBLISH and SUBSCRIBE, and histories in streams. */
import { isIP } from 'node:net';
import type { Redis } from 'ioredis';
import type { StoreLimits } from '../../rooms/stored/store.ts';
import { type BrokerAddress, connectMs } from './address.ts';
import type { Broker, BrokerConnection, BrokerHistory, BrokerReceiver } from './broker.ts';
import { silent } from './link.ts';
import { closedAtOnce, reasonOf } from './reasons.ts';
import { probeHistory, RedisHistory } from './redis/history.ts';
import { Subjects } from './subjects.ts';

/**
 * Redis takes up to 512 MB. Longer packets would delay others that use the same server. Its limits for commands can be set to 1 MiB,
 * with all that a command has besides the packet.
 */
const maxPacket = 1_000_000;

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
    const connection = new RedisConnection(this.#address, receiver, () => this.client());
    await connection.open();
    return connection;
  }

  /** Why a client of {@link client} could not connect, in words that say what to do. */
  explained(error: Error): Error {
    return new Error(reasonOf(error, this.#address, true));
  }

  /** Looks whether a user may keep histories. @throws Error that says why not */
  async tryHistory(client: Redis, prefix: string): Promise<void> {
    await probeHistory(client, new Subjects(prefix));
  }

  /** A client that has not connected yet. @param isAnonymous whether it gives no credentials */
  client({ isAnonymous = false }: { readonly isAnonymous?: boolean } = {}): Redis {
    const { Redis } = this.#library;
    const nobody = { user: undefined, password: undefined };
    const options = redisOptions(isAnonymous ? { ...this.#address, ...nobody } : this.#address);
    const client = new Redis(isAnonymous ? { ...options, enableReadyCheck: false } : options);
    // The library listens only to the first error of a stream; a failed TLS handshake may have two.
    client.on('connecting', () => setImmediate(() => client.stream?.on('error', () => undefined)));
    return client;
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

/**
 * Two connections, for Redis wants none of its other commands on one that subscribes; and two more for histories. If one is lost, all
 * are: what is missing is then known.
 */
class RedisConnection implements BrokerConnection {
  readonly maxPacket = maxPacket;
  readonly #address: BrokerAddress;
  readonly #receiver: BrokerReceiver;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #create: () => Redis;
  /** All of them, and the one that appends to histories. */
  readonly #clients = new Set<Redis>();
  #appending: Redis | undefined;
  #isOpen = true;
  /** Something was published in this turn. */
  #isJoining = false;

  constructor(address: BrokerAddress, receiver: BrokerReceiver, create: () => Redis) {
    this.#address = address;
    this.#receiver = receiver;
    this.#create = create;
    this.#publisher = create();
    this.#subscriber = create();
    this.#subscriber.on('messageBuffer', (_channel: Buffer, message: Buffer) => {
      if (this.#isOpen) receiver.received(message);
    });
  }

  async open(): Promise<void> {
    try {
      await Promise.all([this.#connect(this.#publisher), this.#connect(this.#subscriber)]);
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  async subscribe(subjects: readonly string[]): Promise<void> {
    if (subjects.length > 0) await this.#report(this.#subscriber.subscribe(...subjects));
  }

  unsubscribe(subjects: readonly string[]): void {
    if (subjects.length > 0) void this.#report(this.#subscriber.unsubscribe(...subjects));
  }

  publish(subject: string, packet: Buffer): void {
    void this.#report(this.#publisher.publish(subject, packet));
    if (!this.#isJoining) this.#joinWrites();
  }

  async roundTrip(): Promise<void> {
    await Promise.all([this.#publisher.ping(), this.#subscriber.ping(), this.#appending?.ping()]);
  }

  async openHistory(subjects: Subjects, limits: StoreLimits): Promise<BrokerHistory> {
    if (!this.#isOpen) throw new Error('the connection is closed');
    const clients = [this.#create(), this.#create()] as const;
    try {
      await Promise.all(clients.map((client) => this.#connect(client)));
      await probeHistory(clients[0], subjects);
      [this.#appending] = clients;
      return new RedisHistory(clients, subjects, limits, maxPacket, () => this.#closed(silent));
    } catch (error) {
      for (const client of clients) this.#disconnect(client);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.roundTrip().catch(() => undefined);
    this.abort();
  }

  abort(): void {
    this.#isOpen = false;
    for (const client of this.#clients) this.#disconnect(client);
  }

  /** @throws Error that says why there is no connection */
  async #connect(client: Redis): Promise<void> {
    // What was first says more than what follows from it.
    let failure: Error | undefined;
    client.on('error', (error: Error) => {
      failure ??= error;
    });
    this.#clients.add(client);
    try {
      await client.connect();
    } catch (error) {
      throw new Error(reasonOf(failure ?? (error as Error), this.#address, true));
    }
    client.on('close', () => {
      if (this.#clients.has(client)) this.#closed(reasonOf(failure ?? new Error(closedAtOnce), this.#address, false));
    });
  }

  #disconnect(client: Redis): void {
    this.#clients.delete(client);
    client.disconnect();
    client.stream?.destroy();
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

  async #report(command: Promise<unknown>): Promise<void> {
    try {
      await command;
    } catch (error) {
      // The client refuses commands shortly before it reports the loss of a connection.
      const isLost = [this.#publisher, this.#subscriber].some(({ status }) => status !== 'ready');
      if (this.#isOpen && !isLost) this.#receiver.refused((error as Error).message);
    }
  }

  #closed(reason = closedAtOnce): void {
    if (!this.#isOpen) return;
    this.abort();
    this.#receiver.closed(reason);
  }
}
