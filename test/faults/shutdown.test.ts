import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { handlerFile, temporaryFolder } from '../support/files.ts';
import { closedLine } from '../support/log.ts';
import { dial, type Peer } from '../support/peer.ts';
import { type RunningServer, serve } from '../support/process/command.ts';

const slowly = handlerFile.bind(
  undefined,
  `import { setTimeout as delay } from 'node:timers/promises';
   export default async (message) => { await delay(100); return message; };`,
);
const never = handlerFile.bind(undefined, 'export default () => new Promise(() => undefined);');

/** Messages of one client in flight. */
const window = 200;

/** A client that sends as fast as replies arrive, with many messages in flight, until the server ends the connection. */
class Pipeliner {
  readonly #name: string;
  readonly peer: Peer;
  #sent = 0;

  constructor(name: string, peer: Peer) {
    this.#name = name;
    this.peer = peer;
  }

  async run(): Promise<string[]> {
    const { socket } = this.peer;
    let answered = 0;
    const pump = () => {
      while (this.#sent - answered < window && socket.writable) socket.write(this.#nextBatch());
    };
    socket.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 0x0a) answered++;
      pump();
    });
    pump();
    const received = (await this.peer.ended).toString();
    socket.end();
    return received.split('\n').slice(0, -1);
  }

  #nextBatch(): string {
    return Array.from({ length: 10 }, () => `${this.#name} ${++this.#sent}\n`).join('');
  }
}

interface Logged {
  readonly event: string;
  readonly session?: number;
  readonly peer?: string;
  readonly text?: string;
  readonly code?: string;
}

/** A server whose log goes to a file, which never falls behind. */
async function serveIntoFile(args: readonly string[]): Promise<{ server: RunningServer; log: () => Logged[] }> {
  const path = join(temporaryFolder(), 'log');
  const fd = openSync(path, 'w');
  const server = await serve([...args, '--log-rate', 'off'], { stdout: fd });
  closeSync(fd);
  const log = () =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Logged);
  return { server, log };
}

test('SIGTERM under load: every received message is answered, and the exit status is 0', async () => {
  const { server, log } = await serveIntoFile(['--json']);
  const clients: Pipeliner[] = [];
  for (let number = 0; number < 30; number++) clients.push(new Pipeliner(`client ${number}`, await dial(server.port)));
  const running = clients.map((client) => client.run());
  await Promise.all(clients.map(({ peer }) => peer.sawBytes(20_000)));
  const { status, stderr } = await server.stop();
  expect(stderr).toMatch(/yodel: draining 30 connections; SIGTERM again exits at once\n$/);
  expect(status).toBe(0);

  const events = log();
  const textsOf = new Map<string | undefined, (string | undefined)[]>();
  for (const { event, peer, text } of events) {
    if (event !== 'message') continue;
    const texts = textsOf.get(peer) ?? [];
    textsOf.set(peer, texts);
    texts.push(text);
  }
  const replies = await Promise.all(running);
  for (const [number, client] of clients.entries()) {
    const received = textsOf.get(`127.0.0.1:${client.peer.port}`) ?? [];
    // As text: comparing arrays of this size takes seconds.
    expect(replies[number]?.join('\n')).toBe(received.join('\n'));
    expect(received.length).toBeGreaterThan(1000);
  }
  expect(events.filter(({ event }) => event === 'closed').map(({ code }) => code)).toEqual(
    clients.map(() => undefined),
  );
});

test('what arrived before SIGTERM is answered, even if the server had not read it yet', async () => {
  const server = await serve(['--quiet']);
  const peers = await Promise.all(Array.from({ length: 20 }, () => dial(server.port)));
  for (const [number, peer] of peers.entries()) await peer.ask(`hello ${number}`);
  server.process.kill('SIGSTOP');
  const all = Array.from({ length: 5000 }, (_, at) => `message ${at}\n`).join('');
  // The data is in the kernel of the server: a stopped process reads nothing.
  await Promise.all(peers.map((peer) => peer.send(all)));
  server.process.kill('SIGTERM');
  server.process.kill('SIGCONT');
  for (const [number, peer] of peers.entries()) {
    expect((await peer.ended).toString()).toBe(`hello ${number}\n${all}`);
    peer.end();
  }
  expect((await server.ended).status).toBe(0);
});

test('SIGTERM waits for slow handlers, and answers the messages queued after them', async () => {
  const server = await serve([slowly()]);
  const peer = await dial(server.port);
  await peer.send('1\n2\n3\nunfinished');
  await peer.saw(/1\n/);
  const stopped = server.stop();
  expect((await peer.ended).toString()).toBe('1\n2\n3\n');
  peer.end();
  expect((await stopped).status).toBe(0);
});

test('a draining server refuses new connections', async () => {
  const server = await serve([slowly()]);
  const peer = await dial(server.port);
  await peer.send('1\n2\n3\n4\n5\n');
  await peer.saw(/1\n/);
  server.process.kill('SIGTERM');
  await server.saw(/draining 1 connection/);
  const late = await dial(server.port).catch((error: NodeJS.ErrnoException) => error.code);
  // Another test may have got the port, which is free now.
  if (typeof late === 'object') late.end();
  else expect(late).toBe('ECONNREFUSED');
  expect((await peer.ended).toString()).toBe('1\n2\n3\n4\n5\n');
  peer.end();
  const { status, stdout } = await server.ended;
  expect(status).toBe(0);
  expect(stdout.toString().match(/ closed after /g)).toHaveLength(1);
});

test('idle clients that never end their side do not delay the shutdown', async () => {
  const server = await serve();
  const peers = await Promise.all(Array.from({ length: 50 }, () => dial(server.port)));
  for (const peer of peers) await peer.ask('hello');
  const { status, stdout } = await server.stop();
  expect(status).toBe(0);
  expect(stdout.toString().match(new RegExp(closedLine(1, 1, 'the server shut down'), 'g'))).toHaveLength(50);
});

for (const [signal, status] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`a second ${signal} ends the server at once, with exit status ${status}`, async () => {
    const server = await serve([never()]);
    const peer = await dial(server.port);
    await peer.send('hello\n');
    await server.saw(/5 B hello/);
    server.process.kill(signal);
    await server.saw(/draining 1 connection; .* again exits at once/);
    const outcome = await server.stop(signal);
    expect(outcome).toMatchObject({ status, signal: null });
  });
}

test('a session that takes longer than --shutdown-timeout is aborted, and the exit status is 1', async () => {
  const server = await serve([never(), '--shutdown-timeout', '200ms']);
  const peer = await dial(server.port);
  await peer.send('hello\n');
  await server.saw(/5 B hello/);
  const { status, stdout, stderr } = await server.stop();
  expect(stdout.toString()).toMatch(
    closedLine(1, 0, String.raw`still open 200 ms after the server began to shut down\n`),
  );
  expect(stderr).toMatch(/yodel: aborted with replies pending: 1 connection\n$/);
  expect(status).toBe(1);
});

test('SIGTERM to a server without clients ends it at once and quietly', async () => {
  const server = await serve();
  const { status, stdout, stderr } = await server.stop();
  expect({ status, stdout: stdout.toString(), stderr }).toEqual({
    status: 0,
    stdout: '',
    stderr: `yodel: listening on ${server.address}\n`,
  });
});

test('the log is complete when the server has exited', async () => {
  const server = await serve(['--json', '--log-rate', 'off']);
  const peer = await dial(server.port);
  await peer.send('hello\n'.repeat(20_000));
  await peer.sawBytes(6 * 20_000);
  peer.end();
  const { stdout } = await server.stop();
  const events = stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Logged);
  expect(events.filter(({ event }) => event === 'message')).toHaveLength(20_000);
  expect(events.filter(({ event }) => event === 'closed')).toHaveLength(1);
});
