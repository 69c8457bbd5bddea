/** Several processes that serve together. Nothing about the processes is played: they are killed for real. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandPath, type RunningServer, serve as serveCommand, start, yodel } from '../../support/command.ts';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { dial, type Peer } from '../../support/peer.ts';
import { freePort } from '../../support/ports.ts';
import { becomesTrue, openDescriptors } from '../../support/process.ts';

interface Workers extends RunningServer {
  /** The processes of the workers, in order of their numbers, as they were at the start. */
  readonly workers: readonly number[];
  /** What `/metrics` says of a metric, by worker. */
  metric(name: string): Promise<Record<string, number>>;
  /** Answers of `/healthz` and `/readyz`. */
  status(path: string): Promise<number>;
}

async function serve(args: readonly string[] = [], count = 2): Promise<Workers> {
  const metricsPort = await freePort();
  const metrics = ['--metrics', `127.0.0.1:${metricsPort}`];
  const server = await serveCommand(['--workers', String(count), ...metrics, ...args]);
  const [, list = ''] = await server.saw(/workers: process ([\d, ]+)/);
  const url = `http://127.0.0.1:${metricsPort}`;
  return {
    ...server,
    workers: list.split(', ').map(Number),
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const values = text.matchAll(new RegExp(`^${name}\\{worker="(\\d+)"\\} (\\S+)$`, 'gm'));
      return Object.fromEntries([...values].map(([, worker = '', value]) => [worker, Number(value)]));
    },
    status: async (path) => (await fetch(`${url}${path}`)).status,
  };
}

/** Clients of each of both workers. */
async function dialBoth(server: Workers): Promise<Map<string, Peer>> {
  const found = new Map<string, Peer>();
  for (let tries = 0; found.size < 2 && tries < 64; tries++) {
    const before = await server.metric('yodel_connections_accepted_total');
    const peer = await dial(server.port);
    await peer.ask('hello');
    const after = await server.metric('yodel_connections_accepted_total');
    const [worker] = Object.keys(after).filter((number) => after[number] !== before[number]);
    if (worker !== undefined) found.set(worker, peer);
  }
  expect([...found.keys()].sort()).toEqual(['1', '2']);
  return found;
}

function isRunning(pid: number): boolean {
  try {
    // One that has ended and not been waited for yet runs no more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** All processes below one. */
function childrenOf(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return [
          Number(name),
          Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]),
        ] as const;
      } catch {
        return [Number(name), 0] as const;
      }
    });
  return parents.filter(([, parent]) => parent === pid).map(([child]) => child);
}

describe('--workers', () => {
  it('shares the clients of a port out, and tells the sessions of the workers apart', async () => {
    const server = await serve(['--log-format', 'text']);
    expect(server.workers).toHaveLength(2);
    const both = await dialBoth(server);
    expect(await both.get('1')?.ask('one')).toBe('one');
    expect(await both.get('2')?.ask('two')).toBe('two');
    await server.saw(/#1\.\d+ 3 B one/);
    await server.saw(/#2\.\d+ 3 B two/);
    expect((await server.stop()).status).toBe(0);
  });

  it('gives the clients of a Unix socket to each in turn', async () => {
    const path = join(temporaryFolder(), 'y.sock');
    const server = await serve(['--listen', `unix://${path}`, '--listen', '127.0.0.1:0']);
    for (let count = 0; count < 4; count++) expect(await (await dial(path)).ask('hello')).toBe('hello');
    expect(await server.metric('yodel_connections_accepted_total')).toEqual({ 1: 2, 2: 2 });
    // Half-closed as anywhere else.
    const peer = await dial(path);
    await peer.send('a\nb');
    peer.end();
    expect((await peer.ended).toString()).toBe('a\nb');
  });

  it('says once that a port is taken, also when it is taken by one that shares it', async () => {
    const first = await serve();
    const second = await yodel(['serve', '--workers', '2', '--listen', `127.0.0.1:${first.port}`]);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/^yodel: cannot listen on \S+: the address is in use.*\n$/);
  });

  it('says once what is wrong with a handler file', async () => {
    const handler = handlerFile('export default 5;');
    const outcome = await yodel(['serve', handler, '--workers', '3', '--listen', '127.0.0.1:0']);
    expect(outcome.status).toBe(2);
    expect(outcome.stderr.split('\n')).toHaveLength(2);
    expect(outcome.stderr).toContain(`the default export of ${handler} cannot be used`);
  });

  it('says so when a handler file waits for what never comes', async () => {
    const handler = handlerFile('await new Promise(() => undefined); export default (m) => m;');
    const outcome = await yodel(['serve', handler, '--workers', '2', '--listen', '127.0.0.1:0']);
    expect(outcome.stderr).toBe('yodel: ended before it was done: what it waits for can never come\n');
    expect(outcome.status).toBe(1);
  });

  it('shares out the limits that are meant for all', async () => {
    const server = await serve(['--max-connections', '5']);
    expect(await server.metric('yodel_connections_limit')).toEqual({ 1: 3, 2: 3 });
  });

  it.each(['0', '257', 'many'])('takes no --workers %s', async (count) => {
    const outcome = await yodel(['serve', '--workers', count]);
    expect(outcome.status).toBe(2);
    expect(outcome.stderr).toContain('It takes a number from 1 to 256, or auto.');
  });

  it('never mixes the lines of two workers', async () => {
    const server = await serve(['--log-format', 'json']);
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

describe('a worker that is killed', () => {
  it('is replaced, and the sessions of the other go on under load', async () => {
    const server = await serve(['--quiet']);
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
    await server.saw(/yodel: worker 2 died \(SIGKILL\); another one starts in 100 ms/);
    const [, pid] = await server.saw(/yodel: worker 2 serves again, as process (\d+)/);
    expect(isRunning(Number(pid))).toBe(true);
    expect(await server.metric('yodel_worker_up')).toEqual({ 1: 1, 2: 1 });
    expect(await server.metric('yodel_worker_restarts_total')).toEqual({ 1: 0, 2: 1 });
    // It takes its part of the clients again.
    await dialBoth(server);
    stopped = true;
    expect(await load).toBeGreaterThan(10);
    const { status, stderr } = await server.stop();
    expect(status).toBe(0);
    expect(stderr.match(/died/g)).toHaveLength(1);
  });

  it('is shown as down until then', async () => {
    const handler = handlerFile('await new Promise((resolve) => setTimeout(resolve, 700)); export default (m) => m;');
    const server = await serve([handler]);
    process.kill(server.workers[0] as number, 'SIGKILL');
    await server.saw(/worker 1 died/);
    expect(await server.metric('yodel_worker_up')).toEqual({ 1: 0, 2: 1 });
    expect(await server.status('/readyz')).toBe(200);
    await server.saw(/worker 1 serves again/);
  });

  it('again and again, is replaced with longer and longer pauses', async () => {
    const handler = handlerFile(
      `export default ({ text }) => (text === 'die' ? process.kill(process.pid, 'SIGKILL') : text);`,
    );
    const server = await serve([handler]);
    const pauses: number[] = [];
    for (let death = 1; death <= 3; death++) {
      const peer = (await dialBoth(server)).get('1') as Peer;
      void peer.send('die\n');
      await peer.ended;
      await server.saw(new RegExp(`(worker 1 serves again[\\s\\S]*){${death}}`));
    }
    for (const [, ms] of server.stderr().matchAll(/another one starts in (\d+) ms/g)) pauses.push(Number(ms));
    expect(pauses).toEqual([100, 200, 400]);
  });

  it('by SIGTERM answers what has arrived, and is replaced', async () => {
    const handler = handlerFile(
      'export default async ({ text }) => { await new Promise((r) => setTimeout(r, 300)); return text; };',
    );
    const server = await serve([handler]);
    const peer = (await dialBoth(server)).get('1') as Peer;
    await peer.send('late\n');
    await server.saw(/4 B late/);
    process.kill(server.workers[0] as number, 'SIGTERM');
    expect((await peer.ended).toString()).toContain('late\n');
    await server.saw(/worker 1 ended; another one starts in 100 ms/);
    await server.saw(/worker 1 serves again/);
  });
});

describe('a worker that misbehaves', () => {
  it('by ending while it is loaded fails the start, and not quietly', async () => {
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

  it('by never being done loading ends with its parent', async () => {
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
    await becomesTrue('the worker ends', () => !children.some(isRunning));
  });

  it('by writing without an end of line holds up nobody', async () => {
    const handler = handlerFile(
      'setInterval(() => process.stdout.write("x".repeat(65536)), 100).unref(); export default (m) => m;',
    );
    const server = await serve([handler, '--quiet'], 2);
    for (let count = 0; count < 10; count++) expect(await server.status('/healthz')).toBe(200);
    expect((await server.stop()).status).toBe(0);
  });

  it('by dying under a load of connections to a Unix socket leaves none of them open', async () => {
    const path = join(temporaryFolder(), 'y.sock');
    const server = await serve(['--quiet', '--listen', `unix://${path}`, '--listen', '127.0.0.1:0']);
    await (await dial(path)).ask('hello');
    let stopped = false;
    const clients = Array.from({ length: 8 }, async () => {
      while (!stopped) {
        const peer = await dial(path).catch(() => undefined);
        // It may meet a worker in the moment of its death.
        await peer?.ask('hello').catch(() => undefined);
        peer?.socket.destroy();
      }
    });
    for (let death = 1; death <= 2; death++) {
      process.kill(childrenOf(server.pid)[0] as number, 'SIGKILL');
      await becomesTrue('it is replaced', () => (server.stderr().match(/serves again/g) ?? []).length === death);
    }
    stopped = true;
    await Promise.all(clients);
    const before = openDescriptors(server.pid);
    const left = () => ({ socketsAtPath: socketsAt(path), moreDescriptors: openDescriptors(server.pid) > before });
    // Says what is left, should it not become so.
    await expect.poll(left, { timeout: 15_000 }).toEqual({ socketsAtPath: 1, moreDescriptors: false });
  });
});

/** How many sockets of the system stand at a path: the one that listens, and both ends of connections have it. */
function socketsAt(path: string): number {
  return readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .filter((line) => line.endsWith(` ${path}`)).length;
}

describe('the end of all', () => {
  it('SIGTERM drains all of them, and the process ends when they have', async () => {
    const handler = handlerFile(
      'export default async ({ text }) => { await new Promise((r) => setTimeout(r, 200)); return text; };',
    );
    const server = await serve([handler, '--drain-delay', '300ms']);
    const both = [...(await dialBoth(server)).values()];
    for (const peer of both) await peer.send('late\n');
    await server.saw(/(?:4 B late[\s\S]*){2}/);
    server.process.kill('SIGTERM');
    await server.saw(/yodel: ending 2 workers; SIGTERM again ends at once/);
    expect(await server.status('/readyz')).toBe(503);
    // Within the delay it goes on accepting.
    expect(await (await dial(server.port)).ask('new')).toBe('new');
    for (const peer of both) expect((await peer.ended).toString()).toBe('hello\nlate\n');
    const { status } = await server.ended;
    expect(status).toBe(0);
    expect(server.workers.filter(isRunning)).toEqual([]);
  });

  it('tells by its status that a worker had to break connections off', async () => {
    const handler = handlerFile('export default () => new Promise(() => undefined);');
    const server = await serve([handler, '--shutdown-timeout', '200ms']);
    const peer = await dial(server.port);
    await peer.send('never answered\n');
    await server.saw(/never answered/);
    const { status, stderr } = await server.stop();
    expect(status).toBe(1);
    expect(stderr).toMatch(/yodel: worker \d: 1 connection was broken off before all was answered/);
  });

  it('a second signal ends all at once', async () => {
    const handler = handlerFile('export default () => new Promise(() => undefined);');
    const server = await serve([handler]);
    await (await dial(server.port)).send('never answered\n');
    await server.saw(/never answered/);
    server.process.kill('SIGTERM');
    await server.saw(/again ends at once/);
    expect((await server.stop()).status).toBe(143);
    await becomesTrue('the workers end', () => !server.workers.some(isRunning));
  });

  it('SIGTERM to all processes at once is one end, with its delay', async () => {
    const server = await serve(['--drain-delay', '10s']);
    for (const pid of [...server.workers, server.pid]) process.kill(pid, 'SIGTERM');
    await server.saw(/ending 2 workers/);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await (await dial(server.port)).ask('within the delay')).toBe('within the delay');
    expect((await server.stop()).status).toBe(143);
  });

  it('workers whose parent was killed end in order', async () => {
    const server = await serve();
    const peer = await dial(server.port);
    await peer.ask('hello');
    server.process.kill('SIGKILL');
    expect((await peer.ended).toString()).toBe('hello\n');
    await becomesTrue('the workers end', () => !server.workers.some(isRunning));
  });

  it('Ctrl-C in a terminal, which goes to all processes, drains as well', async () => {
    const server = await serve();
    for (const pid of [...server.workers, server.pid]) process.kill(pid, 'SIGINT');
    expect((await server.ended).status).toBe(0);
    expect(childrenOf(server.pid)).toEqual([]);
  });
});

describe('reload', () => {
  it('reaches all; what is wrong is said once, and new workers have what was right', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'yodel.toml');
    writeFileSync(file, 'maxMessageLength = 5\n');
    const server = await serve(['--config', file]);
    const tooLong = (limit: number) => `error: message 1 is longer than the limit of ${limit} bytes`;
    const limits = async () => {
      const answers: string[] = [];
      for (let count = 0; count < 8; count++) answers.push(await (await dial(server.port)).ask('123456789'));
      return new Set(answers);
    };
    expect(await limits()).toEqual(new Set([tooLong(5)]));
    writeFileSync(file, 'maxMessageLength = 7\n');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: reloaded/);
    expect(await limits()).toEqual(new Set([tooLong(7)]));
    writeFileSync(file, 'maxMessageLength = "much"\n');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: not reloaded, all stays as it was: .*maxMessageLength/);
    process.kill(server.workers[0] as number, 'SIGKILL');
    await server.saw(/worker 1 serves again/);
    expect(await limits()).toEqual(new Set([tooLong(7)]));
    expect(server.stderr().match(/reloaded/g)).toHaveLength(2);
  });

  it('reaches a worker that is starting', async () => {
    const folder = temporaryFolder();
    const [file, gate] = [join(folder, 'yodel.toml'), join(folder, 'gate')];
    writeFileSync(file, 'maxMessageLength = 5\n');
    // While the gate is there, loading takes until it has gone.
    const handler = handlerFile(
      `import { existsSync } from 'node:fs';
       console.error('loading');
       while (process.argv[2] === '2' && existsSync(${JSON.stringify(gate)})) await new Promise((r) => setTimeout(r, 20));
       export default (m) => m;`,
    );
    const server = await serve([handler, '--config', file]);
    writeFileSync(gate, '');
    process.kill(server.workers[1] as number, 'SIGKILL');
    await becomesTrue('worker 2 loads again', () => (server.stderr().match(/loading/g) ?? []).length === 3);
    writeFileSync(file, 'maxMessageLength = 7\n');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: reloaded/);
    rmSync(gate);
    await server.saw(/worker 2 serves again/);
    const answers = new Set<string>();
    for (let count = 0; count < 16; count++) answers.add(await (await dial(server.port)).ask('123456789'));
    expect([...answers]).toEqual(['error: message 1 is longer than the limit of 7 bytes']);
  });

  it('says what needs a restart, and gives it to nobody before', async () => {
    const file = join(temporaryFolder(), 'yodel.toml');
    writeFileSync(file, 'framing = "lines"\n');
    const server = await serve(['--config', file]);
    writeFileSync(file, 'framing = "delimiter:|"\nmaxMessageLength = 5\n');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: reloaded: .*; only after a restart: framing\n/);
    process.kill(server.workers[0] as number, 'SIGKILL');
    await server.saw(/worker 1 serves again/);
    for (let count = 0; count < 8; count++) expect(await (await dial(server.port)).ask('hello')).toBe('hello');
    writeFileSync(file, 'framing = "bogus"\n');
    server.process.kill('SIGHUP');
    await server.saw(/not reloaded, all stays as it was: the framing "bogus" is not known/);
  });

  it('takes a new handler everywhere, and a broken one nowhere', async () => {
    const handler = handlerFile('export default ({ text }) => `old ${text}`;', 'handler.mjs');
    const server = await serve([handler]);
    const answers = async () => {
      const all = new Set<string>();
      for (let count = 0; count < 8; count++) all.add(await (await dial(server.port)).ask('a'));
      return [...all];
    };
    writeFileSync(handler, 'export default ({ text }) => `new ${text}`;');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: reloaded/);
    expect(await answers()).toEqual(['new a']);
    writeFileSync(handler, 'export default (');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: not reloaded, all stays as it was: the handler file/);
    expect(await answers()).toEqual(['new a']);
  });
});
