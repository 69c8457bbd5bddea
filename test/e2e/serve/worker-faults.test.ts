/** Workers that die or misbehave. Nothing is simulated: the processes are killed. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { dial, type Peer } from '../../support/peer.ts';
import { childrenOf, isRunning } from '../../support/process/children.ts';
import { commandPath, start, yodel } from '../../support/process/command.ts';
import { openDescriptors, waitUntil } from '../../support/process/process.ts';
import { dialBoth, serveWithWorkers } from './workers.ts';

describe('a worker that is killed', () => {
  it('is replaced, and sessions of the other worker continue under load', async () => {
    const server = await serveWithWorkers(['--quiet']);
    const both = await dialBoth(server);
    const [lost, kept] = [both.get('2') as Peer, both.get('1') as Peer];
    let stopped = false;
    const load = (async () => {
      let answered = 0;
      for (; !stopped; answered++) expect(await kept.ask(`message ${answered}`)).toBe(`message ${answered}`);
      return answered;
    })();
    process.kill(server.workers[1] as number, 'SIGKILL');
    await lost.ended;
    await server.saw(/yodel: worker 2 died \(SIGKILL\); it restarts in 100 ms/);
    const [, pid] = await server.saw(/yodel: worker 2 restarted as process (\d+)/);
    expect(isRunning(Number(pid))).toBe(true);
    expect(await server.metric('yodel_worker_up')).toEqual({ 1: 1, 2: 1 });
    expect(await server.metric('yodel_worker_restarts_total')).toEqual({ 1: 0, 2: 1 });
    // The new worker gets clients again.
    await dialBoth(server);
    stopped = true;
    expect(await load).toBeGreaterThan(10);
    const { status, stderr } = await server.stop();
    expect(status).toBe(0);
    expect(stderr.match(/died/g)).toHaveLength(1);
  });

  it('is reported as down until it is replaced', async () => {
    const gate = join(temporaryFolder(), 'gate');
    // Loading waits as long as the gate exists.
    const handler = handlerFile(
      `import { existsSync } from 'node:fs';
       while (existsSync(${JSON.stringify(gate)})) await new Promise((resolve) => setTimeout(resolve, 20));
       export default (m) => m;`,
    );
    const server = await serveWithWorkers([handler]);
    writeFileSync(gate, '');
    process.kill(server.workers[0] as number, 'SIGKILL');
    await server.saw(/worker 1 died/);
    expect(await server.metric('yodel_worker_up')).toEqual({ 1: 0, 2: 1 });
    expect(await server.status('/readyz')).toBe(200);
    rmSync(gate);
    await server.saw(/worker 1 restarted/);
  });

  it('repeatedly is restarted after longer and longer delays', async () => {
    const handler = handlerFile(
      `export default ({ text }) => (text === 'die' ? process.kill(process.pid, 'SIGKILL') : text);`,
    );
    const server = await serveWithWorkers([handler]);
    const pauses: number[] = [];
    for (let death = 1; death <= 3; death++) {
      const peer = (await dialBoth(server)).get('1') as Peer;
      void peer.send('die\n');
      await peer.ended;
      await server.saw(new RegExp(`(worker 1 restarted[\\s\\S]*){${death}}`));
    }
    for (const [, ms] of server.stderr().matchAll(/it restarts in (\d+) ms/g)) pauses.push(Number(ms));
    expect(pauses).toEqual([100, 200, 400]);
  });

  it('with SIGTERM answers what it received, and is replaced', async () => {
    const handler = handlerFile(
      'export default async ({ text }) => { await new Promise((r) => setTimeout(r, 300)); return text; };',
    );
    const server = await serveWithWorkers([handler]);
    const peer = (await dialBoth(server)).get('1') as Peer;
    await peer.send('late\n');
    await server.saw(/4 B late/);
    process.kill(server.workers[0] as number, 'SIGTERM');
    expect((await peer.ended).toString()).toContain('late\n');
    await server.saw(/worker 1 ended; it restarts in 100 ms/);
    await server.saw(/worker 1 restarted/);
  });
});

describe('a worker that misbehaves', () => {
  it('by exiting while it loads the handler fails the start with an error', async () => {
    const outcome = await yodel([
      'serve',
      handlerFile('process.exit(0);'),
      '--workers',
      '2',
      '--listen',
      '127.0.0.1:0',
    ]);
    expect(outcome.stderr).toBe('yodel: a worker could not start: status 0\n');
    expect(outcome.status).toBe(1);
  });

  it('by never finishing to load exits with its parent', async () => {
    const handler = handlerFile('console.log("loading"); setInterval(() => 0, 1000); await new Promise(() => 0);');
    const parent = start([
      process.execPath,
      commandPath,
      'serve',
      handler,
      '--workers',
      '2',
      '--listen',
      '127.0.0.1:0',
    ]);
    await parent.saw(/loading/);
    const children = childrenOf(parent.pid);
    expect(children).toHaveLength(1);
    await parent.stop('SIGKILL');
    await waitUntil('the worker ends', () => !children.some(isRunning));
  });

  it('by writing output without line endings does not delay the server', async () => {
    const handler = handlerFile(
      'setInterval(() => process.stdout.write("x".repeat(65536)), 100).unref(); export default (m) => m;',
    );
    const server = await serveWithWorkers([handler, '--quiet'], 2);
    for (let count = 0; count < 10; count++) expect(await server.status('/healthz')).toBe(200);
    expect((await server.stop()).status).toBe(0);
  });

  it('by dying while clients connect to a Unix socket leaves no connection open', async () => {
    const path = join(temporaryFolder(), 'y.sock');
    const server = await serveWithWorkers(['--quiet', '--listen', `unix://${path}`, '--listen', '127.0.0.1:0']);
    await (await dial(path)).ask('hello');
    let stopped = false;
    const clients = Array.from({ length: 8 }, async () => {
      while (!stopped) {
        const peer = await dial(path).catch(() => undefined);
        // The connection may go to a worker that is just dying.
        await peer?.ask('hello').catch(() => undefined);
        peer?.socket.destroy();
      }
    });
    for (let death = 1; death <= 2; death++) {
      process.kill(childrenOf(server.pid)[0] as number, 'SIGKILL');
      await waitUntil('it is replaced', () => (server.stderr().match(/restarted/g) ?? []).length === death);
    }
    stopped = true;
    await Promise.all(clients);
    const before = openDescriptors(server.pid);
    const left = () => ({ socketsAtPath: socketsAt(path), moreDescriptors: openDescriptors(server.pid) > before });
    // Polls an object, so that a failure shows what is left.
    await expect.poll(left, { timeout: 15_000 }).toEqual({ socketsAtPath: 1, moreDescriptors: false });
  });
});

/** The number of sockets bound to a path: the listener, and one for each accepted connection. */
function socketsAt(path: string): number {
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .filter((line) => line.endsWith(` ${path}`)).length;
}
