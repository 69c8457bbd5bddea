/** STARTTLS: a connection goes on over TLS. */
import { expect, onTestFinished, test } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { runtimeTransport } from '../../src/transport/runtime.ts';
import type { Connection } from '../../src/transport/transport.ts';
import { UpgradableConnection } from '../../src/transport/upgradable.ts';

const tls = selfSignedCertificate(['localhost'], 86_400_000);

/** One end, with what it received. */
class Side {
  readonly connection: UpgradableConnection;
  /** How many bytes it received. */
  received = 0;
  #chunks: Buffer[] = [];
  events: string[] = [];
  error: Error | undefined;
  /** Memory that the connection keeps, as it reports it to its keeper, by piece. */
  readonly #kept = new Map<object, { times: number; size: number }>();
  #wake: () => void = () => undefined;

  constructor(connection: Connection) {
    this.connection = new UpgradableConnection(connection);
    onTestFinished(() => this.connection.abort());
    const note = (event: string) => {
      this.events.push(event);
      this.#wake();
    };
    this.connection.start({
      keeper: {
        kept: (memory, size) => {
          this.#kept.set(memory, { times: (this.#kept.get(memory)?.times ?? 0) + 1, size });
        },
        freed: (memory) => {
          const kept = this.#kept.get(memory) as { times: number };
          if (--kept.times === 0) this.#kept.delete(memory);
        },
      },
      onData: (chunk) => {
        this.received += chunk.length;
        this.#chunks.push(Buffer.from(chunk));
        this.#wake();
      },
      onEnd: () => note('end'),
      onDrain: () => this.#wake(),
      onClose: (error) => {
        this.error = error;
        note('close');
      },
    });
  }

  get bytes(): Buffer {
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [bytes];
    return bytes;
  }

  /** All memory that its output keeps. */
  get memory(): number {
    const shared = [...this.#kept.values()].reduce((sum, { size }) => sum + size, 0);
    return shared + this.connection.unsentMemory;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  send(text: string): void {
    this.connection.write(Buffer.from(text));
  }
}

async function sockets(): Promise<[Side, Side]> {
  const accepted = Promise.withResolvers<Connection>();
  const options = { backlog: 1, accept: accepted.resolve, failed: accepted.reject };
  const listener = await runtimeTransport.listen(new TcpAddress('127.0.0.1', 0), options);
  onTestFinished(() => listener.close());
  const client = new Side(await runtimeTransport.connect(listener.address));
  return [client, new Side(await accepted.promise)];
}

const inMemory = async (): Promise<[Side, Side]> => {
  const [client, server] = memoryPair({ chunkSize: 100, capacity: 5000 });
  return [new Side(client), new Side(server)];
};

/** Does what a client and a server do that agree on STARTTLS. */
async function upgrade([client, server]: readonly [Side, Side], insecure = true): Promise<void> {
  client.send('STARTTLS\n');
  await server.until(() => server.bytes.toString() === 'STARTTLS\n');
  server.send('go\n');
  const accepted = server.connection.acceptTls(tls);
  await client.until(() => client.bytes.toString() === 'go\n');
  await Promise.all([
    client.connection.startTls(insecure ? { insecure } : { ca: tls.cert, servername: 'localhost' }),
    accepted,
  ]);
}

test.each([
  ['sockets', sockets],
  ['a connection that splits everything', inMemory],
] as const)('goes on over TLS: %s', async (_, open) => {
  const [client, server] = await open();
  await upgrade([client, server], false);
  expect(client.connection.security).toMatchObject({ protocol: 'TLSv1.3' });
  expect(server.connection.security).toMatchObject({ protocol: 'TLSv1.3', servername: 'localhost' });
  const large = 'x'.repeat(300_000);
  client.send(large);
  server.send(`${large}y`);
  await server.until(() => server.bytes.length >= 300_009);
  await client.until(() => client.bytes.length >= 300_004);
  expect(server.bytes.toString()).toBe(`STARTTLS\n${large}`);
  expect(client.bytes.toString()).toBe(`go\n${large}y`);
  server.send('bye\n');
  server.connection.end();
  await client.until(() => client.events.includes('end'));
  expect(client.bytes.toString()).toMatch(/ybye\n$/);
  client.connection.end();
  await client.until(() => client.events.includes('close'));
  await server.until(() => server.events.includes('close'));
  expect([client.error, server.error]).toEqual([undefined, undefined]);
});

test.each([
  ['sockets', sockets, 20_000_000],
  ['a connection that splits everything', inMemory, 2_000_000],
] as const)('what a peer does not read stays unsent, and all of its memory counts: %s', async (_, open, size) => {
  const [client, server] = await open();
  await upgrade([client, server]);
  client.connection.pause();
  const piece = Buffer.alloc(100_000, 'x');
  for (let sent = 0; sent < size; sent += piece.length) server.connection.write(Buffer.from(piece));
  // The buffers of the kernel are smaller.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { unsent } = server.connection;
  expect(unsent).toBeGreaterThan(size / 10);
  expect(server.memory).toBeGreaterThanOrEqual(unsent);
  expect(server.memory).toBeLessThan(1.2 * unsent + 1_000_000);
  client.connection.resume();
  await client.until(() => client.received === size + 3);
  await server.until(() => server.connection.unsent === 0);
  expect(server.memory).toBe(0);
});

test('what is written during the handshake follows it, encrypted', async () => {
  const [client, server] = await sockets();
  const accepted = server.connection.acceptTls(tls);
  server.send('secret\n');
  server.connection.end();
  await client.connection.startTls({ insecure: true });
  await accepted;
  await client.until(() => client.events.includes('end'));
  expect(client.bytes.toString()).toBe('secret\n');
});

test('a paused connection stays paused after the handshake', async () => {
  const [client, server] = await sockets();
  client.connection.pause();
  const accepted = server.connection.acceptTls(tls);
  await client.connection.startTls({ insecure: true });
  await accepted;
  server.send('later\n');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(client.bytes.length).toBe(0);
  client.connection.resume();
  await client.until(() => client.bytes.length > 0);
});

test('a certificate that is not trusted ends both sides with errors that say so', async () => {
  const [client, server] = await sockets();
  const accepted = server.connection.acceptTls(tls).catch((error: Error) => error);
  await expect(client.connection.startTls({})).rejects.toMatchObject({
    code: 'YODEL_TLS',
    message: expect.stringMatching(/^cannot go on over TLS with tcp:\S+: its certificate is not signed by a trusted/),
  });
  await client.until(() => client.events.includes('close'));
  await accepted;
  await server.until(() => server.events.includes('close'));
});

test('a client needs the certificate that the server requires', async () => {
  const ada = selfSignedCertificate(['ada'], 86_400_000);
  const required = { ...tls, clientCa: ada.cert };
  const [client, server] = await sockets();
  await Promise.all([client.connection.startTls({ insecure: true, ...ada }), server.connection.acceptTls(required)]);
  expect(server.connection.security?.subject).toBe('CN=ada');
  const [another, refusing] = await sockets();
  const refused = refusing.connection.acceptTls(required);
  await Promise.all([
    another.connection.startTls({ insecure: true }),
    expect(refused).rejects.toMatchObject({
      code: 'YODEL_TLS',
      message: expect.stringContaining('it sent no certificate'),
    }),
  ]);
});

test('a server that does not speak TLS is an error', async () => {
  const [client, server] = await sockets();
  const upgrading = client.connection.startTls({ insecure: true });
  server.send('502 not implemented\r\n');
  await expect(upgrading).rejects.toMatchObject({ code: 'YODEL_TLS' });
});

test('a peer that leaves during the handshake is an error', async () => {
  const [client, server] = await sockets();
  const upgrading = client.connection.startTls({ insecure: true });
  server.connection.end();
  await expect(upgrading).rejects.toThrow(/TLS/);
  const [other, client2] = await sockets();
  const accepting = other.connection.acceptTls(tls);
  client2.connection.abort();
  await expect(accepting).rejects.toThrow(/TLS/);
});

test('is upgraded once', async () => {
  const [client, server] = await sockets();
  await upgrade([client, server]);
  await expect(client.connection.startTls({ insecure: true })).rejects.toThrow('the connection is encrypted already');
});
