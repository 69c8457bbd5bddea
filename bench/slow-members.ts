/**
 * What members of a room that read nothing cost those that do:
 *
 *     node bench/slow-members.ts        bun bench/slow-members.ts        (arguments: seconds, and how many measurements)
 *
 * A room of 40 members is sent 6 MB/s in messages of 1 KB. First all of them read, then 20 do not, alternately, each time
 * with a server of its own. Members are in another process than the server, and measure the time from `send` to the arrival of
 * each message. Prints the latency of those that read, the server's memory, and whether each member has received or was told
 * as missed exactly what was sent.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Server, serve } from '../src/index.ts';

const members = 40;
const stalled = 20;
const size = 1024;
const perTick = 60;
const tickMs = 10;
const [seconds = 8, measurements = 2] = process.argv.slice(2).map(Number);

/** What the members report. */
interface Report {
  readonly p50: number;
  readonly p99: number;
  /** For each member: received and told as missed, together. */
  readonly accounts: readonly number[];
}

/** Milliseconds, on a clock that all processes of the machine share. */
const now = () => performance.timeOrigin + performance.now();

async function startServer(): Promise<Server> {
  return await serve({
    listen: 0,
    maxMessageLength: 4096,
    // Those that read nothing are not disconnected while it is measured.
    drainTimeout: 0,
    handler: {
      open: (session) => session.join('a'),
      missed: (_session, _room, messages) => `missed ${messages}`,
    },
  });
}

/** Sends to the room at a constant rate. Returns the number of messages. */
async function publish(server: Server): Promise<number> {
  let sent = 0;
  const began = performance.now();
  for (let tick = 0; tick < (seconds * 1000) / tickMs; tick++) {
    for (let left = perTick; left > 0; left--) {
      const text = `${++sent} ${now()} `;
      server.room('a').send(text.padEnd(size - 1, 'x'));
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + (tick + 1) * tickMs - performance.now())));
  }
  return sent;
}

async function measure(count: number): Promise<void> {
  const server = await startServer();
  const before = process.memoryUsage.rss();
  const child = fork(import.meta.filename, ['members'], { env: { ...process.env, STALLED: String(count) } });
  const address = String(server.addresses[0]);
  child.send({ port: Number(address.slice(address.lastIndexOf(':') + 1)) });
  await once(child, 'message');
  const sent = await publish(server);
  const peak = process.memoryUsage.rss();
  // From now on all read, and learn what they have missed.
  child.send({ sent });
  const [report] = (await once(child, 'message')) as [Report];
  child.disconnect();
  await server.close({ timeoutMs: 0 });
  const wrong = report.accounts.filter((account) => account !== sent).length;
  const told = wrong === 0 ? 'every member: received + missed = sent' : `${wrong} members: received + missed != sent`;
  const memory = `memory ${mebibytes(before)} -> ${mebibytes(peak)} MiB`;
  const latency = `p50 ${report.p50.toFixed(2)} ms, p99 ${report.p99.toFixed(2)} ms`;
  process.stdout.write(`${count} of ${members} stalled: ${latency}; ${memory}; ${sent} messages, ${told}\n`);
}

function mebibytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(0);
}

/** One member, which counts what it receives. */
class Member {
  readonly socket: Socket;
  readonly latencies: number[] = [];
  account = 0;
  #rest = '';

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1').setEncoding('latin1');
    this.socket.on('data', (text) => this.#receive(String(text)));
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    const at = now();
    for (const line of lines) {
      const [first, second] = line.split(' ', 2);
      if (first === 'missed') this.account += Number(second);
      else {
        this.account++;
        this.latencies.push(at - Number(second));
      }
    }
  }
}

async function beMembers(): Promise<void> {
  const count = Number(process.env.STALLED);
  const [{ port }] = (await once(process, 'message')) as [{ port: number }];
  const all = Array.from({ length: members }, () => new Member(port));
  await Promise.all(all.map(({ socket }) => once(socket, 'connect')));
  for (const { socket } of all.slice(0, count)) socket.pause();
  // The server has accepted them, and they have joined.
  await new Promise((resolve) => setTimeout(resolve, 500));
  process.send?.('ready');
  const [{ sent }] = (await once(process, 'message')) as [{ sent: number }];
  const latencies = all
    .slice(count)
    .flatMap((member) => member.latencies)
    .sort((a, b) => a - b);
  const quantile = (part: number) => latencies[Math.floor(latencies.length * part)] ?? Number.NaN;
  const [p50, p99] = [quantile(0.5), quantile(0.99)];
  for (const { socket } of all) socket.resume();
  const deadline = Date.now() + 20_000;
  while (all.some(({ account }) => account < sent) && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 20));
  process.send?.({ p50, p99, accounts: all.map(({ account }) => account) } satisfies Report);
  await once(process, 'disconnect');
  process.exit();
}

if (process.argv[2] === 'members') await beMembers();
else for (let round = 0; round < measurements; round++) for (const count of [0, stalled]) await measure(count);
