/** Several processes that serve together: starting, sharing the clients, and shutdown. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { childrenOf, isRunning } from '../../support/process/children.ts';
import { yodel } from '../../support/process/command.ts';
import { waitUntil } from '../../support/process/process.ts';
import { dialBoth, serveWithWorkers } from './workers.ts';

describe('--workers', () => {
  it('spreads the clients of a port over the workers, and logs which worker has each session', async () => {
    const server = await serveWithWorkers(['--log-format', 'text']);
    expect(server.workers).toHaveLength(2);
    const both = await dialBoth(server);
    expect(await both.get('1')?.ask('one')).toBe('one');
    expect(await both.get('2')?.ask('two')).toBe('two');
    await server.saw(/#1\.\d+ 3 B one/);
    await server.saw(/#2\.\d+ 3 B two/);
    expect((await server.stop()).status).toBe(0);
  });

  it('gives the clients of a Unix socket to the workers in turn', async () => {
    const path = join(temporaryFolder(), 'y.sock');
    const server = await serveWithWorkers(['--listen', `unix://${path}`, '--listen', '127.0.0.1:0']);
    for (let count = 0; count < 4; count++) expect(await (await dial(path)).ask('hello')).toBe('hello');
    expect(await server.metric('yodel_connections_accepted_total')).toEqual({ 1: 2, 2: 2 });
    // A half-closed connection works as in one process.
    const peer = await dial(path);
    await peer.send('a\nb');
    peer.end();
    expect((await peer.ended).toString()).toBe('a\nb');
  });

  it('reports once that a port is taken, even by a server that shares its port among workers', async () => {
    const first = await serveWithWorkers();
    const second = await yodel(['serve', '--workers', '2', '--listen', `127.0.0.1:${first.port}`]);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/^yodel: cannot listen on \S+: the address is in use.*\n$/);
  });

  it('reports an error in a handler file once', async () => {
    const handler = handlerFile('export default 5;');
    const outcome = await yodel(['serve', handler, '--workers', '3', '--listen', '127.0.0.1:0']);
    expect(outcome.status).toBe(2);
    expect(outcome.stderr.split('\n')).toHaveLength(2);
    expect(outcome.stderr).toContain(`the default export of ${handler} cannot be used`);
  });

  it('reports a handler file whose top-level await never resolves', async () => {
    const handler = handlerFile('await new Promise(() => undefined); export default (m) => m;');
    const outcome = await yodel(['serve', handler, '--workers', '2', '--listen', '127.0.0.1:0']);
    expect(outcome.stderr).toBe('yodel: the command ended early: it awaits a promise that can no longer settle\n');
    expect(outcome.status).toBe(1);
  });

  it('divides the limits of the whole server among the workers', async () => {
    const server = await serveWithWorkers(['--max-connections', '5']);
    expect(await server.metric('yodel_connections_limit')).toEqual({ 1: 3, 2: 3 });
  });

  it.each(['0', '257', 'many'])('refuses --workers %s', async (count) => {
    const outcome = await yodel(['serve', '--workers', count]);
    expect(outcome.status).toBe(2);
    expect(outcome.stderr).toContain('It takes a number from 1 to 256, or auto.');
  });

  it('never mixes the log lines of two workers', async () => {
    const server = await serveWithWorkers(['--log-format', 'json']);
    const peers = [...(await dialBoth(server)).values()];
    const text = 'x'.repeat(20_000);
    await Promise.all(
      peers.map(async (peer) => {
        for (let count = 0; count < 20; count++) await peer.ask(text);
      }),
    );
    for (const peer of peers) peer.end();
    const { stdout } = await server.stop();
    const events = stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const long = events.filter(({ event, bytes }) => event === 'message' && bytes === text.length);
    expect(long).toHaveLength(40);
    expect(new Set(long.map(({ worker }) => worker))).toEqual(new Set([1, 2]));
    expect(events.filter(({ event }) => event === 'listening')).toHaveLength(1);
  });
});

describe('shutdown of a server with workers', () => {
  it('SIGTERM drains all workers, and the server exits after them', async () => {
    const handler = handlerFile(
      'export default async ({ text }) => { await new Promise((r) => setTimeout(r, 200)); return text; };',
    );
    const server = await serveWithWorkers([handler, '--drain-delay', '2s']);
    const both = [...(await dialBoth(server)).values()];
    for (const peer of both) await peer.send('late\n');
    await server.saw(/(?:4 B late[\s\S]*){2}/);
    server.process.kill('SIGTERM');
    await server.saw(/yodel: draining 2 workers; SIGTERM again exits at once/);
    expect(await server.status('/readyz')).toBe(503);
    // Until the drain delay has passed it accepts connections.
    expect(await (await dial(server.port)).ask('new')).toBe('new');
    for (const peer of both) expect((await peer.ended).toString()).toBe('hello\nlate\n');
    const { status } = await server.ended;
    expect(status).toBe(0);
    expect(server.workers.filter(isRunning)).toEqual([]);
  });

  it('has exit status 1 when a worker had to abort connections', async () => {
    const handler = handlerFile('export default () => new Promise(() => undefined);');
    const server = await serveWithWorkers([handler, '--shutdown-timeout', '200ms']);
    const peer = await dial(server.port);
    await peer.send('never answered\n');
    await server.saw(/never answered/);
    const { status, stderr } = await server.stop();
    expect(status).toBe(1);
    expect(stderr).toMatch(/yodel: worker \d: aborted with replies pending: 1 connection/);
  });

  it('a second signal ends all workers at once', async () => {
    const handler = handlerFile('export default () => new Promise(() => undefined);');
    const server = await serveWithWorkers([handler]);
    await (await dial(server.port)).send('never answered\n');
    await server.saw(/never answered/);
    server.process.kill('SIGTERM');
    await server.saw(/again exits at once/);
    expect((await server.stop()).status).toBe(143);
    await waitUntil('the workers end', () => !server.workers.some(isRunning));
  });

  it('SIGTERM to every process of the group starts one shutdown, and its drain delay is kept', async () => {
    const server = await serveWithWorkers(['--drain-delay', '10s']);
    for (const pid of [...server.workers, server.pid]) process.kill(pid, 'SIGTERM');
    await server.saw(/draining 2 workers/);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await (await dial(server.port)).ask('within the delay')).toBe('within the delay');
    expect((await server.stop()).status).toBe(143);
  });

  it('workers drain and exit when their parent was killed', async () => {
    const server = await serveWithWorkers();
    const peer = await dial(server.port);
    await peer.ask('hello');
    server.process.kill('SIGKILL');
    expect((await peer.ended).toString()).toBe('hello\n');
    await waitUntil('the workers end', () => !server.workers.some(isRunning));
  });

  it('Ctrl-C in a terminal, which signals every process, drains too', async () => {
    const server = await serveWithWorkers();
    for (const pid of [...server.workers, server.pid]) process.kill(pid, 'SIGINT');
    expect((await server.ended).status).toBe(0);
    expect(childrenOf(server.pid)).toEqual([]);
  });
});
