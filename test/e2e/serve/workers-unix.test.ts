/** Connections to a Unix socket, which the parent accepts and passes to its workers. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { dial, type Peer } from '../../support/peer.ts';
import { serveWithWorkers } from './workers.ts';

describe('connections to a Unix socket', () => {
  /** A server with two workers, and what connects a number of clients, each with a message of its own. */
  async function serveUnix(args: readonly string[] = []) {
    const path = join(temporaryFolder(), 'y.sock');
    const server = await serveWithWorkers([...args, '--listen', `unix://${path}`]);
    const burst = (count: number) =>
      Promise.all(
        Array.from({ length: count }, async (_, index) => {
          const peer = await dial(path);
          await peer.send(`client ${index}\n`);
          return peer;
        }),
      );
    return { server, burst };
  }

  /** Waits until each client has exactly the answer to its own message. */
  async function expectAnswers(peers: readonly Peer[]): Promise<void> {
    await Promise.all(peers.map((peer, index) => peer.sawBytes(`client ${index}\n`.length)));
    expect(peers.map(({ text }) => text)).toEqual(peers.map((_, index) => `client ${index}\n`));
  }

  it('are all answered, when a burst of them is more than the workers take at once', async () => {
    const { burst } = await serveUnix(['--quiet']);
    const peers: Peer[] = [];
    // Each part fits the kernel's queue: a client that finds it full is refused by the kernel.
    for (let part = 0; part < 4; part++) peers.push(...(await burst(300)));
    for (let part = 0; part < 4; part++) await expectAnswers(peers.slice(part * 300, (part + 1) * 300));
  });

  it('that a worker had not received when it was killed are answered by another one, once', async () => {
    const { server, burst } = await serveUnix();
    const [first, second] = server.workers as [number, number];
    for (const pid of [first, second]) process.kill(pid, 'SIGSTOP');
    const peers = await burst(100);
    process.kill(first, 'SIGKILL');
    process.kill(second, 'SIGCONT');
    await expectAnswers(peers);
    await server.saw(/worker 1 restarted/);
    const { stdout, status } = await server.stop();
    const received = stdout.toString().match(/\d+ B client \d+$/gm);
    expect([new Set(received).size, received?.length, status]).toEqual([100, 100, 0]);
  });

  it('that reach a worker while it shuts down are answered, by it or by another one', async () => {
    const { server, burst } = await serveUnix(['--quiet']);
    const [first, second] = server.workers as [number, number];
    for (const pid of [first, second]) process.kill(pid, 'SIGSTOP');
    const peers = await burst(100);
    process.kill(first, 'SIGTERM');
    for (const pid of [first, second]) process.kill(pid, 'SIGCONT');
    await expectAnswers(peers);
    await server.saw(/worker 1 ended; it restarts in 100 ms/);
    expect((await server.stop()).status).toBe(0);
  });
});
