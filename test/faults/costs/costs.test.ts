/**
 * What peers may cost in memory, as the guide says: a server process whose limit is 16 MiB, and clients that would make it keep
 * ten times as much. Its resident memory is the judge, after a garbage collection.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { temporaryFolder } from '../../support/files.ts';
import { type Running, start } from '../../support/process/command.ts';
import { frameBytes } from '../../support/websocket-frames.ts';
import { Clients, fragment, ping, pong, send, sendWhatFits } from './clients.ts';

const program = new URL('./program.ts', import.meta.url).pathname;
const mebibyte = 1_048_576;
const limit = 16 * mebibyte;
/** Twice the limit, and what the runtime keeps of code, of connections and of memory that is free again. */
const most = 2 * limit + 96 * mebibyte;

const flags = process.versions.bun === undefined ? ['--expose-gc'] : [];

/** glibc keeps large blocks that are free; so that the process has what it uses, it must return them. */
const mallocReturnsMemory = { MALLOC_MMAP_THRESHOLD_: '32768', MALLOC_TRIM_THRESHOLD_: '65536' };

interface Counted {
  readonly resident: number;
  readonly pending: number;
  readonly open: number;
  readonly received: number;
  readonly ends: Readonly<Record<string, number>>;
}

/** The servers of program.ts. */
class Servers {
  readonly #addresses = new Map<string, string>();
  readonly #process: Running;
  /** Resident bytes before the first attack. */
  before = 0;
  #asked = 0;

  private constructor(running: Running) {
    this.#process = running;
  }

  static async start(): Promise<Servers> {
    const { certificate, key } = makeCertificate();
    const command = [process.execPath, ...flags, program, certificate, key, temporaryFolder()] as const;
    const servers = new Servers(start(command, { env: mallocReturnsMemory }));
    await servers.#process.saw(/^ready$/m);
    for (const line of servers.#process.stdout().split('\n')) {
      if (!line.startsWith('{')) continue;
      const { name, address } = JSON.parse(line);
      servers.#addresses.set(name, address);
    }
    servers.before = (await servers.counted()).resident;
    return servers;
  }

  clientsOf(name: string): Clients {
    const clients = new Clients(this.#addresses.get(name) as string);
    onTestFinished(() => clients.close());
    return clients;
  }

  async counted(): Promise<Counted> {
    const number = ++this.#asked;
    this.#process.process.stdin?.write(`${number}\n`);
    const [answer] = await this.#process.saw(new RegExp(`^{"number":"${number}",.*}$`, 'm'));
    return JSON.parse(answer);
  }

  /** Resolves when the servers have received all that they will, with what they have counted then. @param fills as of an attack */
  async quiet(fills: boolean): Promise<Counted> {
    for (let last = await this.counted(); ; ) {
      await delay(100);
      const now = await this.counted();
      const isFull = !fills || now.pending === last.pending;
      if (now.received === last.received && now.open === last.open && isFull) return now;
      last = now;
    }
  }

  /** Ends all sessions. Resolves when none is left. */
  async end(): Promise<Counted> {
    this.#process.process.stdin?.write('end\n');
    // Handshakes are not counted as open: they end when the server notices that their clients are gone.
    for (const deadline = Date.now() + 20_000; ; await delay(20)) {
      const now = await this.counted();
      if ((now.open === 0 && now.pending === 0) || Date.now() > deadline) return now;
    }
  }
}

const unfinished = Buffer.alloc(mebibyte - 100, 'x');
const line = Buffer.concat([unfinished, Buffer.from('\n')]);
const unfinishedFrame = frameBytes({ opcode: 2, isFinal: true, length: mebibyte - 100 }).subarray(0, -1);
const lines = Buffer.concat(Array(8).fill(line));
const emptyFrames = Buffer.concat(Array(30_000).fill(frameBytes({ opcode: 1, isFinal: true, length: 0 })));
const pings = Buffer.concat(Array(30_000).fill(ping));

/** One attack: the server, how many clients, and what each of them does. */
interface Attack {
  readonly what: string;
  readonly server: string;
  readonly clients?: number;
  /** Whether the clients do no handshake. */
  readonly isRaw?: boolean;
  /** Whether what they do fills the account. Default: yes. */
  readonly fills?: boolean;
  readonly act: (client: Socket) => Promise<unknown>;
}

async function sendFragments(client: Socket): Promise<void> {
  await send(client, fragment(true));
  const next = Buffer.concat(Array(8).fill(Buffer.concat([fragment(false), pong])));
  for (let sent = 0; sent < 1000; sent += 8) await send(client, next);
}

/** Fills the way back, and then gets short answers, each of which is a part of a chunk. */
async function sendParts(client: Socket): Promise<void> {
  await sendWhatFits(client, `p${'y'.repeat(60_000)}\n`.repeat(8));
  const chunk = `p\n${'x'.repeat(64_000)}\n`;
  for (let sent = 0; sent < 200; sent++) await sendWhatFits(client, chunk);
}

/** Waits until something has arrived, and reads no more. */
async function receiveFirst(client: Socket): Promise<void> {
  await Promise.race([once(client, 'readable'), once(client, 'close')]);
}

/** The beginning of a TLS handshake: a client hello of 16,000 bytes. */
const hello = Buffer.concat([Buffer.of(0x16, 3, 1, 0x3e, 0x84, 1, 0, 0x3e, 0x80), Buffer.alloc(15_000, 3)]);
const request = `GET / HTTP/1.1\r\nX: ${'x'.repeat(15_000)}`;
const whole = `${request}\r\nHost: a\r\n${['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='].join('\r\n')}\r\nSec-WebSocket-Version: 13\r\n\r\n`;
const last = `${'x\n'.repeat(32_000)}last\n`;
const shortLines = 'ab\n'.repeat(400_000);
const requests = 'more\n'.repeat(20);

const attacks: Readonly<Record<string, readonly Attack[]>> = {
  'messages that wait for their end': [
    { what: 'lines', server: 'echo', act: (client) => send(client, unfinished) },
    { what: 'nested values', server: 'nested', clients: 300, act: (client) => send(client, '*1\r\n'.repeat(1000)) },
    { what: 'TLS', server: 'tls', act: (client) => send(client, unfinished) },
    { what: 'WebSocket', server: 'webSocket', act: (client) => send(client, unfinishedFrame) },
    { what: 'WebSocket with TLS', server: 'secureWebSocket', act: (client) => send(client, unfinishedFrame) },
    { what: 'fragments between pongs', server: 'webSocket', fills: false, act: sendFragments },
  ],
  'messages that wait for a handler': [
    { what: 'one', server: 'waiting', clients: 200, act: (client) => sendWhatFits(client, line) },
    { what: 'its text', server: 'reading', clients: 150, act: (client) => sendWhatFits(client, line) },
    { what: 'a batch', server: 'batches', clients: 150, act: (client) => sendWhatFits(client, line) },
    { what: 'very many', server: 'waiting', act: (client) => sendWhatFits(client, Buffer.alloc(190_000, '\n')) },
    { what: 'very many of WebSocket', server: 'webSocketWaiting', act: (client) => sendWhatFits(client, emptyFrames) },
    { what: 'the last of a chunk', server: 'lastOfMany', clients: 200, act: (client) => sendWhatFits(client, last) },
  ],
  'replies that wait for their peer': [
    { what: 'long ones', server: 'answers', act: (client) => sendWhatFits(client, requests) },
    { what: 'over TLS', server: 'tlsAnswers', clients: 30, act: (client) => sendWhatFits(client, requests) },
    { what: 'parts of chunks', server: 'parts', clients: 8, fills: false, act: sendParts },
    { what: 'pongs', server: 'webSocket', clients: 30, fills: false, act: (client) => sendWhatFits(client, pings) },
  ],
  'messages that a fault delays': [
    { what: 'chunks of short ones', server: 'delayed', act: (client) => sendWhatFits(client, shortLines) },
    { what: 'one by one', server: 'delayedAnswers', act: (client) => sendWhatFits(client, shortLines) },
  ],
  'messages that pass through': [
    { what: 'to a child', server: 'child', clients: 20, act: (client) => sendWhatFits(client, lines) },
    {
      what: 'from a server that does not finish them',
      server: 'upstreamTalks',
      clients: 150,
      act: async () => undefined,
    },
    { what: 'to a server that reads nothing', server: 'upstreamIsDeaf', act: (client) => sendWhatFits(client, lines) },
  ],
  'what never stops behind the server': [
    { what: 'another server', server: 'upstreamFloods', act: receiveFirst },
    { what: 'a child', server: 'childFloods', clients: 20, fills: false, act: receiveFirst },
    { what: 'a child, on stderr', server: 'childFloodsErrors', clients: 20, fills: false, act: receiveFirst },
  ],
  'handshakes that wait for their end': [
    { what: 'WebSocket', server: 'webSocket', clients: 1200, isRaw: true, act: (client) => send(client, request) },
    {
      what: 'headers of WebSockets',
      server: 'webSocket',
      clients: 1200,
      isRaw: true,
      act: (client) => send(client, whole),
    },
    // Not counted: a connection over TLS costs as much as long as it is open.
    { what: 'TLS', server: 'tls', clients: 1000, isRaw: true, fills: false, act: (client) => send(client, hello) },
  ],
};

describe('clients cannot make a server keep much more than maxPendingBytes', () => {
  test.each(Object.entries(attacks))('%s', { timeout: 60_000 }, async (_, rows) => {
    const servers = await Servers.start();
    for (const { what, server, clients: count = 50, isRaw = false, fills = true, act } of rows) {
      const clients = servers.clientsOf(server);
      await clients.each(count, act, isRaw);
      const { pending, resident } = await servers.quiet(fills);
      expect(pending, `${what}: counted`).toBeLessThanOrEqual(limit);
      if (fills) expect(pending, `${what}: counted`).toBeGreaterThan(limit / 3);
      expect(resident - servers.before, `${what}: growth of the process`).toBeLessThan(most);
      clients.close();
      expect((await servers.end()).pending, `${what}: counted in the end`).toBe(0);
    }
  });
});
