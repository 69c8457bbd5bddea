import { expect, onTestFinished } from 'vitest';
import { type Address, UnixAddress } from '../../src/address.ts';
import type { Client } from '../../src/client/client.ts';
import { connect } from '../../src/client/connect.ts';
import type { ConnectOptions } from '../../src/client/options.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { type MemoryOptions, type MemoryTransport, memoryTransport } from '../../src/transport/memory.ts';

/**
 * A server that the test controls step by step, on the in-memory transport and a fake clock. At the end of the test its clients are
 * aborted, and no timer may be left.
 */
export class Host {
  readonly clock = new FakeClock();
  readonly transport: MemoryTransport;
  /** The server's end of each connection, in order. */
  readonly peers: Peer[] = [];
  address!: Address;
  readonly #clients: Client[] = [];

  private constructor(network: MemoryOptions | undefined) {
    this.transport = memoryTransport(network);
  }

  static async open(network?: MemoryOptions): Promise<Host> {
    const host = new Host(network);
    const listener = await host.transport.listen(new UnixAddress('/host'), {
      backlog: 1,
      accept: (connection) => {
        host.peers.push(new Peer(connection));
      },
      failed: () => {},
    });
    host.address = listener.address;
    onTestFinished(() => host.#close());
    return host;
  }

  async connect(options: ConnectOptions = {}): Promise<Client> {
    const client = await connect(this.address, { transport: this.transport, clock: this.clock, ...options });
    this.#clients.push(client);
    await settled();
    return client;
  }

  /** The server's end of the newest connection. */
  get peer(): Peer {
    return this.peers.at(-1) as Peer;
  }

  async passes(milliseconds: number): Promise<void> {
    await this.clock.advance(milliseconds);
  }

  async #close(): Promise<void> {
    for (const client of this.#clients) client.abort();
    await settled();
    for (const client of this.#clients) expect(client.state).toBe('closed');
    expect(this.clock.waiting, 'timers left').toBe(0);
  }
}

/** A client, and the server that the test plays for it. */
export async function meet(
  options: ConnectOptions & { readonly network?: MemoryOptions } = {},
): Promise<{ host: Host; client: Client; peer: Peer }> {
  const { network, ...rest } = options;
  const host = await Host.open(network);
  const client = await host.connect(rest);
  return { host, client, peer: host.peer };
}

/** The state of a promise. */
export function fateOf<Value>(promise: Promise<Value>): { value?: Value; error?: unknown; settled: boolean } {
  const fate: { value?: Value; error?: unknown; settled: boolean } = { settled: false };
  promise.then(
    (value) => Object.assign(fate, { value, settled: true }),
    (error: unknown) => Object.assign(fate, { error, settled: true }),
  );
  return fate;
}

/** Reads messages from a client until it ends or breaks. */
export async function readAll(client: Client, into: string[] = []): Promise<string[]> {
  for await (const message of client) into.push(message.text);
  return into;
}
