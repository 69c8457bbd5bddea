/** A broker in memory, which can lose what is published, stop, and die. */
import {
  type Broker,
  type BrokerConnection,
  type BrokerHistory,
  type BrokerReceiver,
  RefusedError,
} from '../../../src/bus/broker/broker.ts';
import type { Subjects } from '../../../src/bus/broker/subjects.ts';
import { MemoryHistories } from './memory-histories.ts';

export class MemoryBroker implements Broker {
  readonly name = 'a broker';
  readonly maxPacket: number;
  readonly histories = new MemoryHistories();
  /** Whether the connection is lost before what was done for histories is answered. */
  losesReplies = false;
  readonly #connections = new Set<MemoryConnection>();
  /** Whether it refuses connections. */
  isDown = false;
  /** Whether it does nothing, and everything waits. */
  isStopped = false;
  /** Whether it still reads what was published over a connection that has ended, perhaps after what came over a newer one. */
  readsRest = false;
  /** By how many turns of the event loop subscriptions are later than what is published then: they have a connection of their own. */
  subscribesAfter = 0;
  /** Which deliveries are lost. */
  loses: (subject: string) => boolean = () => false;
  #waiting: (() => void)[] = [];

  constructor(maxPacket = 1_048_576) {
    this.maxPacket = maxPacket;
  }

  async connect(receiver: BrokerReceiver): Promise<BrokerConnection> {
    await this.turn();
    if (this.isDown) throw new Error('connection refused');
    const connection = new MemoryConnection(this, receiver);
    this.#connections.add(connection);
    return connection;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Resolves when it runs. */
  turn(): Promise<void> {
    if (!this.isStopped) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Does what waits. */
  continue(): void {
    this.isStopped = false;
    for (const resume of this.#waiting.splice(0)) resume();
  }

  die(): void {
    for (const connection of [...this.#connections]) connection.lose();
  }

  /** Disconnects one. */
  forget(connection: MemoryConnection): void {
    this.#connections.delete(connection);
  }

  deliver(subject: string, packet: Buffer): void {
    for (const { subjects, receiver } of [...this.#connections]) {
      if (subjects.has(subject) && !this.loses(subject)) receiver.received(Buffer.from(packet));
    }
  }
}

class MemoryConnection implements BrokerConnection {
  readonly subjects = new Set<string>();
  readonly receiver: BrokerReceiver;
  readonly #broker: MemoryBroker;
  #isOpen = true;
  /** What it was given is done in this order. */
  #last: Promise<void> = Promise.resolve();
  #lastSubscribed: Promise<void> = Promise.resolve();

  readonly #ended = Promise.withResolvers<never>();

  constructor(broker: MemoryBroker, receiver: BrokerReceiver) {
    this.#broker = broker;
    this.receiver = receiver;
    this.#ended.promise.catch(() => undefined);
  }

  get maxPacket(): number {
    return this.#broker.maxPacket;
  }

  subscribe(subjects: readonly string[]): Promise<void> {
    return this.#thenSubscribed(() => subjects.forEach((subject) => void this.subjects.add(subject)));
  }

  unsubscribe(subjects: readonly string[]): void {
    void this.#thenSubscribed(() => subjects.forEach((subject) => void this.subjects.delete(subject)));
  }

  publish(subject: string, packet: Buffer): void {
    if (packet.length > this.maxPacket) throw new Error('the packet is too long');
    void this.#then(
      () => this.#broker.deliver(subject, packet),
      () => this.#broker.readsRest,
    );
  }

  async roundTrip(): Promise<void> {
    await Promise.all([this.#then(() => undefined), this.#lastSubscribed]);
    if (!this.#isOpen) throw new Error('closed');
  }

  async openHistory(subjects: Subjects): Promise<BrokerHistory> {
    const { histories } = this.#broker;
    if (histories.refuses !== undefined) throw new RefusedError(histories.refuses);
    return histories.opened(
      (run) => this.#answered(run),
      (room, packet) => this.#broker.deliver(subjects.ofRoom(room), packet),
    );
  }

  /** Does something. Rejects if the connection is lost before the answer. */
  async #answered<Result>(run: () => Result): Promise<Result> {
    const done = this.#then(() => undefined).then(() => {
      if (!this.#isOpen) throw new Error('closed');
      const result = run();
      if (!this.#broker.losesReplies) return result;
      this.#broker.losesReplies = false;
      this.lose();
      throw new Error('closed');
    });
    return await Promise.race([done, this.#ended.promise]);
  }

  async close(): Promise<void> {
    await this.#then(() => undefined);
    this.abort();
  }

  abort(): void {
    this.#isOpen = false;
    this.#ended.reject(new Error('closed'));
    this.#broker.forget(this);
  }

  lose(): void {
    this.abort();
    this.receiver.closed('it closed the connection');
  }

  #thenSubscribed(run: () => void): Promise<void> {
    this.#lastSubscribed = this.#lastSubscribed.then(async () => {
      await this.#broker.turn();
      for (let turn = 0; turn < this.#broker.subscribesAfter; turn++) await new Promise(setImmediate);
      if (this.#isOpen) run();
    });
    return this.#lastSubscribed;
  }

  #then(run: () => void, evenIfClosed = () => false): Promise<void> {
    this.#last = this.#last
      .then(() => this.#broker.turn())
      .then(() => {
        if (this.#isOpen || evenIfClosed()) run();
      });
    return this.#last;
  }
}
