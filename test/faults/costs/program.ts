/**
 * Servers whose memory is attacked: all of them in one process, each with a limit of 16 MiB.
 *
 * It prints the address of each as one line of JSON. For each number on stdin it prints what they have counted, together; `end` ends all
 * sessions, as those are that are not read do not notice that their clients have gone.
 *
 * usage: program.ts CERTIFICATE KEY FOLDER
 */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { YodelError } from '../../../src/errors.ts';
import {
  echo,
  exec,
  proxy,
  type ServeOptions,
  type Server,
  type Session,
  serve,
  withFaults,
} from '../../../src/index.ts';

const [certificate = '', key = '', folder = ''] = process.argv.slice(2);
const mebibyte = 1_048_576;
const limits = {
  maxPendingBytes: 16 * mebibyte,
  maxMessageLength: mebibyte,
  highWaterMark: mebibyte,
  drainTimeout: 0,
  messageTimeout: 0,
  idleTimeout: 0,
  handlerTimeout: 0,
  handshakeTimeout: 0,
};

/** What handlers work on and do not finish, as they would keep it in a queue of their own. */
const unfinished: unknown[] = [];
const never = (what: unknown) => new Promise<never>((resolve) => unfinished.push({ what, resolve }));
const large = Buffer.alloc(mebibyte, 'x');

/** What servers behind a proxy do: one begins a message of 1 MiB and does not finish it, one reads nothing, one sends without end. */
const behaviours = {
  talks: (socket: Socket) => void socket.write(large.subarray(1000)),
  isDeaf: (socket: Socket) => void socket.pause(),
  floods(socket: Socket) {
    const fill = () => {
      while (socket.write(messages));
    };
    socket.on('drain', fill);
    fill();
  },
};
const messages = Buffer.from(`${'x'.repeat(60_000)}\n`);

function listenAsUpstream(behaviour: keyof typeof behaviours): Promise<number> {
  const upstream = createServer((socket) => {
    socket.on('error', () => undefined);
    behaviours[behaviour](socket);
  });
  return new Promise((resolve) => {
    upstream.listen(0, '127.0.0.1', () => resolve((upstream.address() as { port: number }).port));
  });
}

const unix = (name: string) => `unix://${join(folder, `${name}.sock`)}`;
const tls = { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
const tcp = 'tcp://127.0.0.1:0';
const programs: Readonly<Record<string, ServeOptions>> = {
  echo: { listen: tcp, handler: { batch: (batch) => batch } },
  waiting: { listen: tcp, handler: never },
  reading: { listen: tcp, handler: (message) => (message.text.length > 0 ? never(message) : undefined) },
  batches: { listen: unix('batches'), handler: { batch: never } },
  lastOfMany: { listen: tcp, handler: (message) => (message.text === 'last' ? never(message) : undefined) },
  answers: { listen: unix('answers'), handler: () => large },
  parts: { listen: unix('parts'), handler: (message) => (message.text.startsWith('p') ? message : undefined) },
  nested: { listen: tcp, framing: 'resp', handler: never },
  delayed: { listen: tcp, handler: withFaults(echo, ['latency 1h']) },
  delayedAnswers: { listen: tcp, handler: withFaults(({ text }) => text, ['latency 30m±20m']) },
  tls: { listen: 'tls://127.0.0.1:0', tls, handler: { batch: (batch) => batch } },
  tlsAnswers: { listen: 'tls://127.0.0.1:0', tls, handler: () => large },
  webSocket: { listen: 'ws://127.0.0.1:0', handler: { batch: (batch) => batch } },
  webSocketWaiting: { listen: 'ws://127.0.0.1:0', handler: never },
  secureWebSocket: { listen: 'wss://127.0.0.1:0', tls, handler: { batch: (batch) => batch } },
  child: { listen: tcp, handler: exec('sleep 60'), maxConnections: 100 },
  childFloods: { listen: tcp, handler: exec('yes'), maxConnections: 100 },
  childFloodsErrors: {
    listen: tcp,
    handler: exec('echo ready; exec yes >&2', { shell: true }),
    maxConnections: 100,
  },
  upstreamTalks: { listen: tcp, handler: proxy(await listenAsUpstream('talks')) },
  upstreamIsDeaf: { listen: tcp, handler: proxy(await listenAsUpstream('isDeaf')) },
  upstreamFloods: { listen: tcp, handler: proxy(await listenAsUpstream('floods')) },
};

let received = 0;
const ends: Record<string, number> = {};
const telemetry = {
  received: () => undefined,
  closed(_: unknown, error: YodelError | undefined) {
    const code = error?.code ?? 'none';
    ends[code] = (ends[code] ?? 0) + 1;
  },
};
const servers: Server[] = [];
for (const [name, options] of Object.entries(programs)) {
  const server = await serve({ ...limits, ...options, telemetry });
  servers.push(server);
  process.stdout.write(`${JSON.stringify({ name, address: String(server.addresses[0]) })}\n`);
}

createInterface(process.stdin).on('line', (number) => {
  if (number === 'end') {
    for (const server of servers) for (const session of server.sessions) (session as Session).abort();
    unfinished.length = 0;
    return;
  }
  const { Bun, gc } = globalThis as { Bun?: { gc(isForced: boolean): void }; gc?: () => void };
  if (Bun) Bun.gc(true);
  else gc?.();
  received = 0;
  let pending = 0;
  let open = 0;
  for (const server of servers) {
    pending += server.pendingBytes;
    open += server.counters.connectionsOpen;
    received += server.counters.bytesReceived;
  }
  process.stdout.write(
    `${JSON.stringify({ number, resident: process.memoryUsage.rss(), pending, open, received, ends })}\n`,
  );
});
process.stdout.write('ready\n');
