/** One client among many that send as fast as they can. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TcpAddress } from '../../src/address.ts';
import { type Server, serve } from '../../src/server/server.ts';
import { temporaryFolder } from '../support/files.ts';
import { dial, type Peer } from '../support/peer.ts';
import { environmentOfTest } from '../support/process/environment.ts';
import { waitUntil } from '../support/process/process.ts';

const flooders = 40;
const mebibyte = 1_048_576;

/** Starts a process with many connections to the server, which send lines of 1 KiB without a pause. */
async function flood(server: Server, to: number | string): Promise<void> {
  const source = `
    const { connect } = require('node:net');
    const lines = Buffer.alloc(${mebibyte}, 'x'.repeat(1023) + '\\n');
    const sockets = [];
    const connected = (socket) => {
      sockets.push(socket);
      if (sockets.length === ${flooders}) for (const each of sockets) send(each);
      else next();
    };
    const send = (socket) => {
      while (socket.write(lines));
      socket.once('drain', () => send(socket));
    };
    const next = () => {
      const socket = connect(${JSON.stringify(to)}, () => connected(socket)).on('error', () => process.exit());
    };
    next();`;
  const child = spawn(process.execPath, ['-e', source], { env: environmentOfTest(), stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  await waitUntil('all are connected', () => server.sessions.size >= flooders);
  const { bytesReceived } = server.counters;
  await waitUntil('they send', () => server.counters.bytesReceived - bytesReceived > 2 * flooders * mebibyte);
}

const visitors = 400;
const visit = 60_000;

/** While this process waits, visitors connect, each sends one chunk of empty lines, and all end. */
function visits(to: number | string): void {
  const source = `
    const { connect } = require('node:net');
    const lines = Buffer.alloc(${visit}, 10);
    let left = ${visitors};
    const next = (count) => count > 0 && connect(${JSON.stringify(to)}, function () {
      this.end(lines);
      next(count - 1);
    }).on('finish', () => --left === 0 && process.exit(0)).on('error', (error) => { throw error; });
    next(${visitors});`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', source], {
    env: environmentOfTest(),
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

/** How many bytes of others the server reads between a message of this client and its handling: the middle of several tries. */
async function bytesBetween(server: Server, client: Peer, handled: () => number): Promise<number> {
  const counts: number[] = [];
  for (let tries = 0; tries < 21; tries++) {
    const [before, { bytesReceived }] = [handled(), server.counters];
    client.socket.write('hello\n');
    while (handled() === before) await turn();
    counts.push(server.counters.bytesReceived - bytesReceived);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return counts.sort((a, b) => a - b)[10] as number;
}

describe(`beside ${flooders} clients that send without a pause, the server reads only a part of each before it reads others`, () => {
  test.each(['tcp', 'unix'])('%s', { timeout: 60_000 }, async (scheme) => {
    const path = join(temporaryFolder(), 'socket');
    let handled = 0;
    const server = await serve({
      listen: scheme === 'unix' ? `unix://${path}` : '127.0.0.1:0',
      handler: {
        batch: (batch) => {
          if (batch.count === 1 && batch.byteLength < 10) handled++;
        },
      },
    });
    onTestFinished(() => server.close({ timeoutMs: 0 }));
    const to = scheme === 'unix' ? path : (server.addresses[0] as TcpAddress).port;
    const client = await dial(to);
    await flood(server, to);
    expect(await bytesBetween(server, client, () => handled)).toBeLessThan(8 * mebibyte);
  });
});

describe(`of ${visitors} clients that have connected and sent a chunk before the server accepts them, it reads a few at a time`, () => {
  test.each(['tcp', 'unix'])('%s', { timeout: 60_000 }, async (scheme) => {
    const path = join(temporaryFolder(), 'socket');
    let handled = 0;
    const server = await serve({
      listen: scheme === 'unix' ? `unix://${path}` : '127.0.0.1:0',
      handler: {
        batch: (batch) => {
          if (batch.count === 1) handled++;
        },
      },
    });
    onTestFinished(() => server.close({ timeoutMs: 0 }));
    const to = scheme === 'unix' ? path : (server.addresses[0] as TcpAddress).port;
    const client = await dial(to);
    visits(to);
    const { bytesReceived } = server.counters;
    let most = 0;
    for (let sent = 0; server.counters.bytesReceived - bytesReceived - sent < visitors * visit; sent += 6) {
      const [before, read] = [handled, server.counters.bytesReceived];
      client.socket.write('hello\n');
      while (handled === before) await turn();
      most = Math.max(most, server.counters.bytesReceived - read);
    }
    expect(most).toBeLessThan(2 * mebibyte);
  });
});

test('what clients send arrives whole, however often they wait for each other', async () => {
  const server = await serve({ listen: '127.0.0.1:0', handler: { batch: ({ count }) => `${count}` } });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const clients = await Promise.all(Array.from({ length: 20 }, () => dial((server.addresses[0] as TcpAddress).port)));
  const lines = Buffer.alloc(4 * mebibyte, `${'x'.repeat(63)}\n`);
  for (const client of clients) client.socket.end(lines);
  for (const client of clients) {
    const counts = (await client.ended).toString().trim().split('\n');
    expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(lines.length / 64);
  }
});
