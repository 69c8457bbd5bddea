/** Servers that may have few descriptors. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { handlerFile } from '../support/files.ts';
import { dial, type Peer } from '../support/peer.ts';
import { commandPath, type Running, start } from '../support/process/command.ts';
import { openDescriptors } from '../support/process/process.ts';
import { listen } from '../support/servers.ts';
import { testWith } from '../support/tools.ts';

const limit = 64;

/** CPU time of a process, in hundredths of a second. */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

interface FewDescriptors {
  readonly server: Running;
  readonly port: number;
  /** The number of connections that it says it serves. */
  readonly most: number;
}

async function serveWithFew(args: readonly string[]): Promise<FewDescriptors> {
  const command = [process.execPath, commandPath, 'serve', '--quiet', '--listen', '127.0.0.1:0', ...args];
  const server = start(['prlimit', `--nofile=${limit}:${limit}`, ...command], { hasChildren: true });
  const [, port] = await server.saw(/listening on tcp:\/\/127\.0\.0\.1:(\d+)/);
  const [, most] = await server.saw(/serves at most (\d+) connections at once, not 10000: the limit on open files/);
  return { server, port: Number(port), most: Number(most) };
}

/** Connects until a client is refused. */
async function fill(port: number): Promise<Peer[]> {
  const served: Peer[] = [];
  for (;;) {
    const peer = await dial(port).catch(() => undefined);
    const reply = await peer?.ask('hello').catch(() => 'refused');
    if (!peer || reply !== 'hello') return served;
    served.push(peer);
  }
}

/** Clients that come at once; what each of them received until its connection was over. None may hang. */
async function flood(port: number, count: number): Promise<string[]> {
  const refused = Array.from({ length: count }, async () => (await dial(port)).ended);
  const outcomes = await Promise.allSettled(refused);
  return outcomes.filter((end) => end.status === 'fulfilled').map((end) => String(end.value));
}

/** Talks to the clients, then is silent: a listener that is ready but cannot accept must not keep a core busy. */
async function expectIdle({ pid }: Running, served: readonly Peer[]): Promise<void> {
  const used = ticks(pid);
  const began = performance.now();
  for (let n = 1; n <= 5; n++) for (const client of served) expect(await client.ask(`again ${n}`)).toBe(`again ${n}`);
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(((ticks(pid) - used) * 10) / (performance.now() - began)).toBeLessThan(0.7);
}

/** Ends the clients, and connects again as soon as their places are free. */
async function expectRoomAfter(served: readonly Peer[], port: number): Promise<void> {
  for (const client of served) client.end();
  await Promise.all(served.map((client) => client.ended));
  // The server knows a moment later than the client, and a child takes a moment to end.
  const newcomers: Peer[] = [];
  for (const deadline = Date.now() + 15_000; newcomers.length < served.length; newcomers.push(...(await fill(port)))) {
    if (Date.now() > deadline) throw new Error('after 15 s, there is no room for as many clients as before');
  }
}

const testOnLinux = testWith('prlimit', 'apt-get install util-linux');

const handlers: [string, () => Promise<readonly string[]>, { readonly saysWhy: boolean; readonly most: number }][] = [
  ['echo', async () => [], { saysWhy: true, most: 24 }],
  ['a child for each connection', async () => ['exec:cat'], { saysWhy: true, most: 4 }],
  ['a child for each message', async () => ['exec:cat', '--exec-per-message'], { saysWhy: true, most: 4 }],
  [
    'an upstream server',
    async () => [`proxy:${(await listen((socket) => socket.pipe(socket))).address}`],
    // A proxy says nothing itself.
    { saysWhy: false, most: 12 },
  ],
];

testOnLinux.each(handlers)(
  'a server with few descriptors serves as many clients as it says, and refuses the others: %s',
  async (_, handler, { saysWhy, most }) => {
    const { server, port, most: announced } = await serveWithFew(await handler());
    expect(announced).toBe(most);
    const served = await fill(port);
    expect(served).toHaveLength(most);
    // In a flood only some get the error; the others are reset, some before they know that they are connected.
    const reasons = await flood(port, 100);
    const reason = new RegExp(`^error: the server has reached its limit of ${most} connections`);
    for (const text of reasons) expect(text).toMatch(saysWhy ? reason : /^$/);
    if (saysWhy) expect(reasons.length).toBeGreaterThan(0);
    expect(openDescriptors(server.pid)).toBeLessThan(limit);
    await expectIdle(server, served);

    await expectRoomAfter(served, port);
  },
);

testOnLinux(
  'a handler that takes descriptors and does not say so makes the server refuse connections, with a reason',
  async () => {
    const source = `import { closeSync, openSync } from 'node:fs';
      export default {
        open({ data }) { data.files = [1, 2, 3].map(() => openSync('/dev/null')); },
        message: (message) => message,
        close({ data }) { for (const file of data.files ?? []) closeSync(file); },
      };`;
    const { server, port, most } = await serveWithFew([handlerFile(source)]);
    const served = await fill(port);
    expect(served.length).toBeGreaterThan(1);
    expect(served.length).toBeLessThan(most);
    const reasons = await flood(port, 30);
    expect(reasons.some((text) => text.startsWith('error: the server has no descriptors left'))).toBe(true);
    await expectIdle(server, served);
    await expectRoomAfter(served, port);
  },
);
