/**
 * Clients that never finish a message, in a separate process, with its own limit of descriptors: `drippers.ts PORT CLIENTS`.
 *
 * All connect and wait. When a line arrives on stdin, each begins a message and adds a byte every second until the server
 * ends the connection. Prints, as lines of JSON, how many have begun and how they ended.
 */
import { once } from 'node:events';
import * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const [port = 0, clients = 0] = process.argv.slice(2).map(Number);
/** Connections opened at a time. More than the backlog of the listener would be retried only after a second. */
const atOnce = 256;
/** The clients send in this number of groups, so that the bytes are spread over the second. */
const groups = 50;

interface Dripper {
  readonly socket: net.Socket;
  /** Resolves with everything received when the server ends. Rejects when the connection breaks. */
  readonly ended: Promise<string>;
}

async function connect(): Promise<Dripper> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const ended = new Promise<string>((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text)).on('error', reject);
    socket.on('close', () => reject(new Error('closed without an end')));
  });
  ended.catch(() => undefined);
  return { socket, ended };
}

function drip(members: readonly Dripper[]): void {
  for (const { socket } of members) if (socket.writable) socket.write('x');
}

function print(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

const all: Dripper[] = [];
for (let from = 0; from < clients; from += atOnce) {
  all.push(...(await Promise.all(Array.from({ length: Math.min(atOnce, clients - from) }, connect))));
}
print({ connected: all.length });
await once(process.stdin, 'data');

for (let group = 0; group < groups; group++) {
  const members = all.filter((_, number) => number % groups === group);
  drip(members);
  setInterval(drip, 1000, members);
  await delay(1000 / groups);
}
print({ dripping: all.length });

const endings = new Map<string, number>();
for (const { ended } of all) {
  const how = await ended.catch((error: Error) => `broken: ${error.message}`);
  endings.set(how, (endings.get(how) ?? 0) + 1);
}
print({ endings: [...endings] });
process.exit(0);
