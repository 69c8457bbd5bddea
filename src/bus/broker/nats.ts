/** NATS as a broker: core publish and subscribe, and histories in JetStream. */
import type { ConnectionOptions, Msg, NatsConnection, Subscription, TlsOptions } from '@nats-io/transport-node';
import type { StoreLimits } from '../../rooms/stored/store.ts';
import { type BrokerAddress, connectMs } from './address.ts';
import type { Broker, BrokerConnection, BrokerHistory, BrokerReceiver } from './broker.ts';
import { NatsHistory } from './jetstream/history.ts';
import { InOrder } from './jetstream/in-order.ts';
import { NatsRequests } from './jetstream/requests.ts';
import { NatsStream } from './jetstream/stream.ts';
import { NatsTurns } from './jetstream/turns.ts';
import { closedAtOnce, reasonOf } from './reasons.ts';
import type { Subjects } from './subjects.ts';

type Library = typeof import('@nats-io/transport-node');

/** A server can be configured to take only less. Then pieces would be hardly longer than their heads. */
const leastMaxPayload = 512;
/** The headers of what is stored, which count. */
const headers = 128;

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
    const { max_payload: longest = leastMaxPayload } = connection.info ?? {};
    if (longest >= leastMaxPayload) return new NatsBrokerConnection(connection, this.#library, this.#address, receiver);
    await connection.close();
    throw new Error(`its max_payload is ${longest} bytes; a bus needs at least ${leastMaxPayload}`);
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
      throw new Error(reasonOf(error, this.#address, true));
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

interface Subscribed {
  readonly subscription: Subscription;
  /** For what JetStream passes on: from the first such message on. */
  order: InOrder | undefined;
}

class NatsBrokerConnection implements BrokerConnection {
  readonly #connection: NatsConnection;
  readonly #library: Library;
  readonly #receiver: BrokerReceiver;
  /** How to end those that are under way. */
  readonly #roundTrips = new Set<(error: Error) => void>();
  /** For histories. */
  #requests: NatsRequests | undefined;
  readonly #subscriptions = new Map<string, Subscribed>();
  #isOpen = true;

  constructor(connection: NatsConnection, library: Library, address: BrokerAddress, receiver: BrokerReceiver) {
    this.#connection = connection;
    this.#library = library;
    this.#receiver = receiver;
    void this.#watch();
    void connection.closed().then((error) => this.#closed(reasonOf(error ?? new Error(closedAtOnce), address, false)));
  }

  get maxPacket(): number {
    return this.#connection.info?.max_payload ?? leastMaxPayload;
  }

  /** What is published after that is passed on after it is in effect. */
  async subscribe(subjects: readonly string[]): Promise<void> {
    if (!this.#isOpen) return;
    for (const subject of subjects) this.#subscriptions.set(subject, this.#subscribe(subject));
  }

  unsubscribe(subjects: readonly string[]): void {
    for (const subject of subjects) {
      const subscribed = this.#subscriptions.get(subject);
      subscribed?.subscription.unsubscribe();
      subscribed?.order?.close();
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
    return new Promise((resolve, reject) => {
      // The client library never settles its own promise if the connection is lost meanwhile.
      this.#roundTrips.add(reject);
      const isOver = () => this.#roundTrips.delete(reject);
      this.#connection.flush().then(resolve, reject).then(isOver, isOver);
    });
  }

  async openHistory(subjects: Subjects, limits: StoreLimits): Promise<BrokerHistory> {
    this.#requests ??= new NatsRequests(this.#connection, this.#library, subjects.prefix);
    const stream = new NatsStream(this.#requests, subjects, limits, () => this.#connection.info?.version ?? '');
    await stream.open();
    const turns = new NatsTurns((request) => this.publish(subjects.turns, Buffer.from(request)));
    this.#connection.subscribe(subjects.turns, {
      callback: (error, message) => {
        if (!error) turns.asked(message.string());
      },
    });
    return new NatsHistory(stream, turns, () => this.maxPacket - headers);
  }

  async close(): Promise<void> {
    await this.roundTrip().catch(() => undefined);
    this.abort();
  }

  abort(): void {
    this.#end('the connection is closed');
    void this.#connection.close();
  }

  #subscribe(subject: string): Subscribed {
    const callback = (error: Error | null, message: Msg) => {
      if (!this.#isOpen) return;
      if (error) return this.#receiver.refused(error.message);
      const { buffer, byteOffset, length } = message.data;
      const packet = Buffer.from(buffer, byteOffset, length);
      const at = sequenceIn(message, 'Nats-Sequence');
      if (at === undefined) return this.#receiver.received(packet);
      subscribed.order ??= new InOrder((each, place) => this.#receiver.received(each, place));
      subscribed.order.received(packet, at, sequenceIn(message, 'Nats-Last-Sequence') ?? 0);
    };
    const subscribed: Subscribed = {
      subscription: this.#connection.subscribe(subject, { callback }),
      order: undefined,
    };
    return subscribed;
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
    this.#end(reason);
    this.#receiver.closed(reason);
  }

  #end(reason: string): void {
    this.#isOpen = false;
    this.#requests?.close(reason);
    for (const { order } of this.#subscriptions.values()) order?.close();
    for (const reject of this.#roundTrips) reject(new Error(reason));
    this.#roundTrips.clear();
  }
}

/** JetStream adds to what it passes on where it is, and where the one before it is. */
function sequenceIn({ headers }: Msg, name: string): number | undefined {
  const sequence = Number(headers?.get(name));
  return Number.isSafeInteger(sequence) && sequence > 0 ? sequence : undefined;
}
