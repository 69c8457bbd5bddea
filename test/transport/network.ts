import { expect, onTestFinished } from 'vitest';
import type { Address, SocketAddress } from '../../src/address.ts';
import type { Connection, Listener, Transport } from '../../src/transport/transport.ts';
import { End } from './end.ts';

/** Where a transport is tested, and what to expect there. */
export interface Place {
  /** Its name in the tests' names. */
  readonly name: string;
  /** An unused address to listen on. Port 0 is one. */
  readonly freshAddress: () => SocketAddress;
  /** Whether an aborted connection is a reset for the other end. */
  readonly hasResets: boolean;
  /** Whether bytes are encrypted: an abort may be an end or a reset for the other end. */
  readonly isEncrypted?: boolean;
  /** Whether bytes are sent a moment later even if nothing is in their way. */
  readonly isDelayed?: boolean;
  /** Whether host names are resolved. */
  readonly hasHostNames: boolean;
  readonly sizes: Sizes;
}

/** The numbers of bytes that the tests send. */
export interface Sizes {
  /** Fits in the buffers between two ends, so that nothing stays unsent if the peer does not read. */
  readonly little: number;
  /** A large write. */
  readonly large: number;
  /** More than the buffers between two ends, so that some of it stays unsent if the peer does not read. */
  readonly tooMuch: number;
  /** So much that a process that buffered it by mistake would be noticed. */
  readonly flood: number;
}

/** Sizes for sockets: Linux buffers up to 4 MiB on the sending side and 6 MiB on the receiving side. */
export const socketSizes: Sizes = { little: 10_000, large: 10_000_000, tooMuch: 32_000_000, flood: 200_000_000 };

/** Everything that one test opens. It is closed at the end of the test, which fails if a violation was recorded. */
export class Network {
  readonly transport: Transport;
  readonly place: Place;
  readonly #ends: End[] = [];
  readonly #listeners: Listener[] = [];

  constructor(transport: Transport, place: Place) {
    this.transport = transport;
    this.place = place;
    onTestFinished(() => this.#close());
  }

  async listen(address: SocketAddress = this.place.freshAddress()): Promise<TestListener> {
    const testListener = new TestListener((connection) => this.#watch(connection));
    const listener = await this.transport.listen(address, {
      backlog: 128,
      accept: (connection) => testListener.accept(connection),
      failed: (error) => {
        throw error;
      },
    });
    this.#listeners.push(listener);
    return testListener.at(listener);
  }

  async connect(address: Address, signal?: AbortSignal): Promise<End> {
    return this.#watch(await this.transport.connect(address, { signal }));
  }

  /** Both ends of a new connection, before their start. */
  async openUnstarted(testListener?: TestListener): Promise<{ client: End; server: End; testListener: TestListener }> {
    const at = testListener ?? (await this.listen());
    const [client, server] = await Promise.all([this.connect(at.address), at.next()]);
    return { client, server, testListener: at };
  }

  /** Both ends of a new connection. */
  async open(testListener?: TestListener): Promise<{ client: End; server: End; testListener: TestListener }> {
    const opened = await this.openUnstarted(testListener);
    opened.client.start();
    opened.server.start();
    return opened;
  }

  /**
   * Waits until all pending events have been delivered: bytes go back and forth on another connection, so that the event
   * loop has polled every socket several times.
   */
  async passTime(): Promise<void> {
    const { client, server } = await this.open(await this.listen());
    for (let trip = 1; trip <= 5; trip++) {
      client.send(1);
      await server.receivedAll(trip);
      server.send(1);
      await client.receivedAll(trip);
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.end();
    server.end();
    await Promise.all([client.closed(), server.closed()]);
  }

  async #close(): Promise<void> {
    for (const end of this.#ends) end.abort();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    expect(this.#ends.flatMap((end) => end.violations)).toEqual([]);
  }

  #watch(connection: Connection): End {
    const end = new End(connection);
    this.#ends.push(end);
    return end;
  }
}

/** Opens the network of one test. */
export type OpenNetwork = () => Network;

/** A listener whose accepted connections a test takes in order. */
export class TestListener {
  listener!: Listener;
  accepted = 0;
  readonly #watch: (connection: Connection) => End;
  readonly #arrived: End[] = [];
  readonly #waiting: ((end: End) => void)[] = [];

  constructor(watch: (connection: Connection) => End) {
    this.#watch = watch;
  }

  get address(): SocketAddress {
    return this.listener.address;
  }

  at(listener: Listener): this {
    this.listener = listener;
    return this;
  }

  accept(connection: Connection): void {
    this.accepted++;
    const end = this.#watch(connection);
    const waiting = this.#waiting.shift();
    if (waiting) waiting(end);
    else this.#arrived.push(end);
  }

  next(): Promise<End> {
    const end = this.#arrived.shift();
    return end ? Promise.resolve(end) : new Promise((resolve) => this.#waiting.push(resolve));
  }
}
