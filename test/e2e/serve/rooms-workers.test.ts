/** Rooms over several workers, as real processes. Each member checks a numbered stream: what it received and what it was told. */
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { dial, type Peer } from '../../support/peer.ts';
import { isRunning } from '../../support/process/children.ts';
import { waitUntil } from '../../support/process/process.ts';
import { type ServerWithWorkers, serveWithWorkers } from './workers.ts';

const handler = `export default {
  message(message, session) {
    const room = session.server.room('a');
    if (message.text === 'pid') return 'pid ' + process.pid;
    if (message.text === 'join') return void session.join('a') ?? 'joined';
    if (message.text === 'size') return 'size ' + room.size;
    if (message.text.startsWith('all ')) return void session.server.broadcast(message);
    room.send(message, { from: session });
  },
  missed: (_session, _room, count) => 'missed ' + count,
};`;

async function start(count: number, ...args: readonly string[]): Promise<ServerWithWorkers> {
  return await serveWithWorkers([handlerFile(handler), '--quiet', '--room-buffer', '64MiB', ...args], count);
}

/** Clients of each worker, by its process. The kernel distributes the connections. */
async function clientsOf(
  server: ServerWithWorkers,
  pids: readonly number[],
  each: number,
): Promise<Map<number, Peer[]>> {
  const found = new Map<number, Peer[]>(pids.map((pid) => [pid, []]));
  for (let tries = 0; tries < 200; tries++) {
    if (pids.every((pid) => found.get(pid)?.length === each)) return found;
    const peer = await dial(server.port);
    const clients = found.get(Number((await peer.ask('pid')).slice(4)));
    if (clients && clients.length < each) clients.push(peer);
    else peer.end();
  }
  throw new Error('the kernel has not distributed 200 connections to all workers');
}

/** As many members of each worker, in a room whose size all of them know. */
async function members(
  server: ServerWithWorkers,
  pids: readonly number[],
  each: number,
  size = pids.length * each,
): Promise<Peer[][]> {
  const clients = await clientsOf(server, pids, each);
  const all = pids.map((pid) => clients.get(pid) as Peer[]);
  for (const peer of all.flat()) expect(await peer.ask('join')).toBe('joined');
  for (const peer of all.flat()) await knowsSize(peer, size);
  return all;
}

/** Waits until the member knows the size of the room, although it receives other things. */
async function knowsSize(peer: Peer, size: number): Promise<void> {
  while (!peer.text.includes(`\nsize ${size}\n`)) {
    await peer.send('size\n');
    await delay(20);
  }
}

/** What a member receives of a stream of numbers, and how many it is told that it missed. */
interface Account {
  readonly numbers: number[];
  missed: number;
}

/** Counts from now on. */
function accountOf({ socket }: Peer, stream = 'n'): Account {
  const account: Account = { numbers: [], missed: 0 };
  let rest = '';
  socket.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [word, number] = line.split(' ', 2);
      if (word === stream) account.numbers.push(Number(number));
      else if (word === 'missed') account.missed += Number(number);
    }
  });
  return account;
}

/** Sends a stream of numbers until it is stopped, or its server is gone. `stop` resolves with how many. */
function streams(peer: Peer, stream: string, { batch = 10, text = '' } = {}): { stop(): Promise<number> } {
  let [sent, isStopped] = [0, false];
  const done = (async () => {
    while (!isStopped) {
      const lines = Array.from({ length: batch }, () => `${stream} ${++sent} ${text}\n`);
      await peer.send(lines.join('')).catch(() => {
        isStopped = true;
      });
      await delay(5);
    }
    return sent;
  })();
  const stop = () => {
    isStopped = true;
    return done;
  };
  return { stop };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe('rooms over workers', () => {
  it('reach the members of all of them, in the order of each sender, and so does a broadcast', async () => {
    const server = await start(3);
    const all = await members(server, server.workers, 2);
    const accounts = all.flat().flatMap((member) => [0, 1, 2].map((index) => accountOf(member, `from${index}`)));
    for (const [index, [sender]] of all.entries()) {
      await sender?.send(
        upTo(500)
          .map((number) => `from${index} ${number}\n`)
          .join(''),
      );
    }
    await all[1]?.[0]?.send('all of you\n');
    for (const member of all.flat()) {
      await member.saw(/^all of you$/m);
      for (const stream of [0, 1, 2]) {
        await member.saw(new RegExp(`^from${stream} 500$`, 'm'));
      }
    }
    for (const account of accounts) expect(account).toEqual({ numbers: upTo(500), missed: 0 });
    const guest = await dial(server.port);
    await guest.send('n 1 from somebody outside\n');
    for (const member of all.flat()) await member.saw(/^n 1 from somebody outside$/m);
    expect((await server.stop()).status).toBe(0);
  });

  it('lose nothing that is of others when a worker is killed under load, and its members are gone', async () => {
    const server = await start(2);
    const [first, second] = server.workers as [number, number];
    const [stay = [], killed = []] = await members(server, [first, second], 2);
    const accounts = stay.map((member) => accountOf(member));
    const stream = streams(stay[0] as Peer, 'n');
    streams(killed[0] as Peer, 'lost');
    await stay[1]?.saw(/^lost 50 $/m);
    await killed[1]?.saw(/^n 50 $/m);
    process.kill(second, 'SIGKILL');
    const [, pid] = await server.saw(/worker 2 restarted as process (\d+)/);
    const [fresh = []] = await members(server, [Number(pid)], 1, stay.length + 1);
    await fresh[0]?.saw(/^n \d+ $/m);
    const sent = await stream.stop();
    await fresh[0]?.send('end 1\n');
    for (const member of stay) {
      await member.saw(/^end 1$/m);
      await member.saw(new RegExp(`^n ${sent} $`, 'm'));
    }
    for (const account of accounts) expect(account).toEqual({ numbers: upTo(sent), missed: 0 });
    expect((await server.stop()).status).toBe(0);
  });

  it('lose nothing when a worker is replaced and the settings are read again under load', async () => {
    const server = await start(3);
    const [first, second, third] = server.workers as [number, number, number];
    const all = await members(server, [first, second, third], 1);
    const [one, replaced, three] = all.map(([member]) => member) as [Peer, Peer, Peer];
    const accounts = [one, three].map((member) => accountOf(member));
    const stream = streams(one, 'n');
    await replaced.saw(/^n 50 $/m);
    process.kill(server.pid, 'SIGHUP');
    process.kill(second, 'SIGTERM');
    const [, pid] = await server.saw(/worker 2 restarted as process (\d+)/);
    const [[fresh] = []] = await members(server, [Number(pid)], 1, 3);
    await fresh?.saw(/^n \d+ $/m);
    const sent = await stream.stop();
    for (const member of [one, three]) await member.saw(new RegExp(`^n ${sent} $`, 'm'));
    for (const account of accounts) expect(account).toEqual({ numbers: upTo(sent), missed: 0 });
    expect((await server.stop()).status).toBe(0);
  });

  it('tell exactly how much was lost while a worker was stopped', async () => {
    const server = await start(2, '--bus-buffer', '64KiB');
    const [first, second] = server.workers as [number, number];
    const [here = [], there = []] = await members(server, [first, second], 2);
    const sender = (await clientsOf(server, [first], 1)).get(first)?.[0] as Peer;
    const [accountsHere, accountsThere] = [here, there].map((members) => members.map((member) => accountOf(member)));
    const stream = streams(sender, 'n', { batch: 20, text: 'x'.repeat(1000) });
    await there[1]?.saw(/^n 100 /m);
    process.kill(second, 'SIGSTOP');
    // More than the sockets and the buffer take.
    await here[0]?.sawBytes((here[0]?.size ?? 0) + 1_500_000);
    process.kill(second, 'SIGCONT');
    const sent = await stream.stop();
    const all = [...here, ...there];
    // The loss of the last ones shows, too.
    const isToldAll = ({ numbers, missed }: Account) => numbers.length + missed >= sent;
    await waitUntil('all is received or told', () => accountsThere?.every(isToldAll) ?? false);
    await sender.send('end 1\n');
    await Promise.all(all.map((member) => member.saw(/^end 1$/m)));
    for (const account of accountsHere ?? []) expect(account).toEqual({ numbers: upTo(sent), missed: 0 });
    for (const { numbers, missed } of accountsThere ?? []) {
      expect(numbers.length + missed).toBe(sent);
      expect(missed).toBeGreaterThan(0);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    }
    expect((await server.stop()).status).toBe(0);
  });
});

describe('a worker that was stopped', () => {
  it('passes on everything that its clients have sent meanwhile', async () => {
    const server = await start(2, '--bus-buffer', '512KiB');
    const [first, second] = server.workers as [number, number];
    const [here = [], there = []] = await members(server, [first, second], 1);
    const account = accountOf(here[0] as Peer);
    process.kill(second, 'SIGSTOP');
    const lines = upTo(1500).map((number) => `n ${number} ${'x'.repeat(1000)}\n`);
    const sent = there[0]?.send(lines.join(''));
    // Most of it is in the kernel by then.
    await delay(100);
    process.kill(second, 'SIGCONT');
    await sent;
    await here[0]?.saw(/^n 1500 /m);
    expect(account).toEqual({ numbers: upTo(1500), missed: 0 });
    expect((await server.stop()).status).toBe(0);
  });
});

describe('the folder of the sockets', () => {
  it('is gone when the server has ended', async () => {
    const folder = temporaryFolder();
    const server = await serveWithWorkers(['--quiet'], 2, { env: { TMPDIR: folder } });
    expect(readdirSync(folder)).toHaveLength(1);
    await server.stop();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is gone when the server was killed', async () => {
    const folder = temporaryFolder();
    const server = await serveWithWorkers(['--quiet'], 2, { env: { TMPDIR: folder } });
    expect(readdirSync(folder)).toHaveLength(1);
    await server.stop('SIGKILL');
    await waitUntil('the workers end', () => !server.workers.some(isRunning));
    expect(readdirSync(folder)).toEqual([]);
  });
});
