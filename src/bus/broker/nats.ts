/** NATS as a broker: core publish and subscribe, and histories in JetStream. */
import type { ConnectionOptions, Msg, NatsConnection, Subscription, TlsOptions } from '@nats-io/transport-node';
import type { StoreLimits } from '../../rooms/stored/store.ts';
import { type BrokerAddress, connectMs } from './address.ts';
import type { Broker, BrokerConnection, BrokerHistory, BrokerReceiver } from './broker.ts';
import { NatsHistory } from './nats-history.ts';
import { NatsRequests } from './nats-requests.ts';
import { NatsStream } from './nats-stream.ts';
import { NatsTurns } from './nats-turns.ts';
import type { Subjects } from './subjects.ts';

type Library = typeof import('@nats-io/transport-node');

/** What a packet takes besides its bytes. */
const overhead = 1024;
/** With less, little of a packet would be left for messages. */
const smallestPayload = 2 * overhead;

/** See the top of the file. */
export class NatsBroker implements Broker {
  readonly name: string;
  readonly #address: BrokerAddress;
  readonly #library: Library;

  constructor(address: BrokerAddress, library: Library) {
    this.#address = address;
    this.#library = library;
    this.name = `NATS at ${address.host}:${address.port}`;
  }

  async connect(receiver: BrokerReceiver): Promise<BrokerConnection> {
    const connection = await this.open();
    const { max_payload: longest = smallestPayload } = connection.info ?? {};
    if (longest >= smallestPayload) return new NatsBrokerConnection(connection, this.#library, receiver);
    await connection.close();
    throw new Error(`its max_payload is ${longest} bytes, and at least ${smallestPayload} are needed`);
  }

  /** A connection of the client library. @throws Error with a message that says why there is none */
  async open(options: Pick<ConnectionOptions, 'inboxPrefix'> = {}): Promise<NatsConnection> {
    const { connect, credsAuthenticator } = this.#library;
    const { credentials } = this.#address;
    return await connect({
      ...natsOptions(this.#address),
      ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(Buffer.from(credentials)) }),
      ...options,
    }).catch((error: Error) => {
      throw error.name === 'TimeoutError' ? new Error(`it has not responded for ${connectMs / 1000} s`) : error;
    });
  }
}

/** Connected once: what is published while the client library reconnects would be lost without a word. */
function natsOptions({ host, port, user, password, token, tls }: BrokerAddress): ConnectionOptions {
  return {
    servers: `${host.includes(':') ? `[${host}]` : host}:${port}`,
    ...(user === undefined ? {} : { user, pass: password ?? '' }),
    ...(token === undefined ? {} : { token }),
    ...(tls ? { tls: tlsOptions(host, tls.ca) } : {}),
    name: 'yodel',
    noEcho: true,
    reconnect: false,
    ignoreClusterUpdates: true,
    timeout: connectMs,
  };
}

/** For a host that is an address, the library would compare the certificate with "localhost". */
function tlsOptions(host: string, ca: string | undefined): TlsOptions & { readonly host: string } {
  return { host, ...(ca === undefined ? {} : { ca }) };
}

class NatsBrokerConnection implements BrokerConnection {
  readonly #connection: NatsConnection;
  readonly #library: Library;
  readonly #receiver: BrokerReceiver;
  /** For histories. */
  #requests: NatsRequests | undefined;
  readonly #subscriptions = new Map<string, Subscription>();
  #isOpen = true;

  constructor(connection: NatsConnection, library: Library, receiver: BrokerReceiver) {
    this.#connection = connection;
    this.#library = library;
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

  async openHistory(subjects: Subjects, limits: StoreLimits): Promise<BrokerHistory> {
    this.#requests ??= new NatsRequests(this.#connection, this.#library, subjects.prefix);
    const stream = new NatsStream(this.#requests, subjects, limits, () => this.#connection.info?.version ?? '');
    await stream.open();
    const turns = new NatsTurns((room) => this.publish(subjects.turns, Buffer.from(room)));
    this.#connection.subscribe(subjects.turns, {
      callback: (error, message) => {
        if (!error) turns.asked(message.string());
      },
    });
    return new NatsHistory(stream, turns, () => this.maxPacket);
  }

  async close(): Promise<void> {
    await this.roundTrip().catch(() => undefined);
    this.abort();
  }

  abort(): void {
    this.#isOpen = false;
    this.#requests?.close('the connection is closed');
    void this.#connection.close();
  }

  #subscribe(subject: string): Subscription {
    const callback = (error: Error | null, message: Msg) => {
      if (!this.#isOpen) return;
      if (error) return this.#receiver.refused(error.message);
      const { buffer, byteOffset, length } = message.data;
      this.#receiver.received(Buffer.from(buffer, byteOffset, length), sequenceOf(message));
    };
    return this.#connection.subscribe(subject, { callback });
  }

  /** Errors that concern one command come here. */
  async #watch(): Promise<void> {
    const { PermissionViolationError } = this.#library;
    for await (const status of this.#connection.status()) {
      if (status.type !== 'error' || !this.#isOpen) continue;
      const { error } = status;
      if (error instanceof PermissionViolationError && this.#requests?.refused(error.subject, error)) continue;
      this.#receiver.refused(error.message);
    }
  }

  #closed(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#requests?.close(reason);
    this.#receiver.closed(reason);
  }
}

/** Where JetStream has what it passes on. */
function sequenceOf({ headers }: Msg): number | undefined {
  const sequence = Number(headers?.get('Nats-Sequence'));
  return Number.isSafeInteger(sequence) && sequence > 0 ? sequence : undefined;
}
