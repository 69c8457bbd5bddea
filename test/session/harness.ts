import { expect, onTestFinished } from 'vitest';
import type { Address } from '../../src/address.ts';
import type { Server } from '../../src/server/server.ts';
import type { Session } from '../../src/session/public-session.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { Peer } from '../../src/testing/peer.ts';
import { type TestServer, type TestServerOptions, testServer } from '../../src/testing/test-server.ts';
import { settled } from '../../src/testing/turns.ts';
import { type MemoryOptions, type MemoryTransport, memoryPair, memoryTransport } from '../../src/transport/memory.ts';
import type { Connection, ListenOptions, Receiver } from '../../src/transport/transport.ts';

/** Options of the server and of its connections. */
export type HarnessOptions = TestServerOptions;

/**
 * A test server whose side of the connections can be observed and disturbed. At the end of the test it is closed, and no session,
 * byte or timer may be left.
 */
export class Harness {
  readonly clock: FakeClock;
  readonly transport: MemoryTransport;
  /** The server's side of each connection, in the order of arrival. */
  readonly served: Connection[] = [];
  /** What receives on each of them. */
  readonly receivers: Receiver[] = [];
  /** The text of each write of the server, on all connections. */
  readonly writes: string[] = [];
  #test!: TestServer;
  #listening!: ListenOptions;
  #closed: Promise<void> | undefined;

  private constructor(clock: FakeClock, network: MemoryOptions | undefined) {
    this.clock = clock;
    const memory = memoryTransport(network);
    const { listen } = memory;
    this.transport = Object.assign(memory, {
      listen: (address: Parameters<typeof listen>[0], options: ListenOptions) => {
        const accept = (connection: Connection) => {
          this.#watch(connection);
          options.accept(connection);
        };
        this.#listening = { ...options, accept };
        return listen(address, this.#listening);
      },
    });
  }

  static async open({ network, ...options }: HarnessOptions = {}): Promise<Harness> {
    const harness = new Harness(options.clock ?? new FakeClock(), network);
    harness.#test = await testServer({ clock: harness.clock, transport: harness.transport, ...options });
    onTestFinished(() => harness.close());
    return harness;
  }

  get server(): Server {
    return this.#test.server;
  }

  get address(): Address {
    return this.server.addresses[0] as Address;
  }

  /** A new connection to the server. */
  connect(): Promise<Peer> {
    return this.#test.dial();
  }

  /** A connection that was in the operating system's queue when the server stopped listening. */
  async connectLate(): Promise<Peer> {
    const [client, served] = memoryPair();
    this.#listening.accept(served);
    const peer = new Peer(client);
    await settled();
    return peer;
  }

  acceptFails(error: Error): void {
    this.#listening.failed(error);
  }

  /** The server's newest session. */
  get session(): Session {
    return [...this.server.sessions].at(-1) as Session;
  }

  /** Lets time pass. */
  async passes(milliseconds: number): Promise<void> {
    await this.clock.advance(milliseconds);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const closing = this.server.close({ timeoutMs: 0 });
    await this.clock.advance(1);
    await closing;
    await settled();
    expect(this.server.sessions.size, 'sessions left').toBe(0);
    expect(this.server.counters.connectionsOpen, 'connections left').toBe(0);
    expect(this.server.pendingBytes, 'bytes left').toBe(0);
    expect(this.clock.waiting, 'timers left').toBe(0);
  }

  #watch(connection: Connection): void {
    const write = connection.write.bind(connection);
    connection.write = (bytes) => {
      this.writes.push(Buffer.from(bytes).toString());
      write(bytes);
    };
    const start = connection.start.bind(connection);
    connection.start = (receiver) => {
      this.receivers.push(receiver);
      start(receiver);
    };
    this.served.push(connection);
  }
}

/** A server with one client that talks to it. */
export async function serveOneClient(
  options: HarnessOptions = {},
): Promise<{ harness: Harness; peer: Peer; session: Session }> {
  const harness = await Harness.open(options);
  const peer = await harness.connect();
  return { harness, peer, session: harness.session };
}
