import { expect, onTestFinished } from 'vitest';
import type { Address } from '../../src/address.ts';
import type { ServeOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/server.ts';
import type { Session } from '../../src/session/public-session.ts';
import { type MemoryOptions, memoryPair, memoryTransport } from '../../src/transport/memory.ts';
import type { Connection, ListenOptions, Receiver, Transport } from '../../src/transport/transport.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { Peer } from './peer.ts';

/** Options of the server and of its connections. */
export interface HarnessOptions extends ServeOptions {
  readonly network?: MemoryOptions;
}

/**
 * A server on the in-memory transport, with a fake clock. At the end of the test the server is closed, and no timer may be
 * left.
 */
export class Harness {
  readonly clock: FakeClock;
  readonly transport: Transport;
  /** The server's side of each connection, in the order of arrival. */
  readonly served: Connection[] = [];
  /** What receives on each of them. */
  readonly receivers: Receiver[] = [];
  /** The text of each write of the server, on all connections. */
  readonly writes: string[] = [];
  server!: Server;
  #listening!: ListenOptions;
  #closed: Promise<void> | undefined;

  private constructor(clock: FakeClock, network: MemoryOptions | undefined) {
    this.clock = clock;
    const memory = memoryTransport(network);
    this.transport = {
      connect: memory.connect,
      listen: (address, options) => {
        const accept = (connection: Connection) => {
          this.#watch(connection);
          options.accept(connection);
        };
        this.#listening = { ...options, accept };
        return memory.listen(address, this.#listening);
      },
    };
  }

  static async open({ network, ...options }: HarnessOptions = {}): Promise<Harness> {
    const harness = new Harness((options.clock as FakeClock | undefined) ?? new FakeClock(), network);
    harness.server = await serve({ clock: harness.clock, transport: harness.transport, ...options });
    onTestFinished(() => harness.close());
    return harness;
  }

  get address(): Address {
    return this.server.addresses[0] as Address;
  }

  /** A new connection to the server. */
  async connect(): Promise<Peer> {
    const peer = new Peer(await this.transport.connect(this.address));
    await settled();
    return peer;
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
