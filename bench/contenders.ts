/** The contenders as plain data. README.md describes each one and why it is written that way. */
import { fileURLToPath } from 'node:url';
import {
  builtCommand,
  bun,
  cargo,
  command,
  gcc,
  go,
  nats,
  ncat,
  nginx,
  nginxStarter,
  node,
  python,
  pythonTool,
  redis,
  rustc,
  socat,
  socketIo,
  socketIoRedis,
  socketIoStreams,
  type Tool,
  uvloop,
  ws,
} from './tools.ts';
import type { Service, Workload } from './workloads.ts';

/** The parameters of a server's command line. */
export interface Given {
  readonly port: number;
  /** In bytes. Only the 1 MiB workload exceeds 64 KiB. */
  readonly longestMessage: number;
  readonly clients: number;
  /** A folder of its own on disk, for its data. */
  readonly folder: string;
  /** What follows `yodel serve` where a server is attacked: a handler, and further listeners. */
  readonly flags?: readonly string[];
  /** The address of the engine that connects the nodes, as in `--bus`. */
  readonly bus?: string;
}

/** The parameters of a load generator's command line. */
export interface Load {
  readonly port: number;
  readonly connections: number;
  /** Messages in flight on each connection. */
  readonly depth: number;
  /** Bytes of a message, newline included. */
  readonly size: number;
  readonly seconds: number;
}

export type Command = readonly [string, ...string[]];

/** What carries messages from one node to another. */
export type Engine = 'redis' | 'nats';

export interface Contender {
  readonly name: string;
  readonly title: string;
  readonly kind: 'reference' | 'yodel' | 'plain' | 'peer';
  readonly tools: readonly Tool[];
  /** A source below bench/, and the tool that builds it as bench/build/NAME. */
  readonly build?: { readonly by: 'gcc' | 'rustc' | 'go' | 'cargo'; readonly source: string };
  readonly serves: { readonly [service in Service]?: (given: Given) => Command };
  /** Its command as a load generator that drives the C server. */
  readonly drives?: (load: Load) => Command;
  /** Workloads that it cannot run although it offers the service, with the reason. */
  readonly except?: { readonly [workload: string]: string };
  /** It starts short-lived processes, so its processor time cannot be measured. */
  readonly forks?: true;
  /** The protocol in which the load generator speaks to it. Default: that of the workload, and lines. */
  readonly protocol?: 'redis' | 'nats' | 'length' | 'resp' | 'until' | 'socket.io';
  /** In `room-nodes` it is two nodes, with this engine between them. */
  readonly engine?: Engine;
  /** It runs on Bun, and a workload may compare it with another one there. */
  readonly onBun?: true;
}

/** The load generator discards this much of each slice: latencies while it connects are not representative. */
export const settleSeconds = 0.05;

const here = fileURLToPath(new URL('.', import.meta.url));
const peer = (file: string) => `${here}peers/${file}`;
const handler = (file: string) => `${here}handlers/${file}`;
const built = (name: string) => `${here}build/${name}`;

/** A key and its certificate in one file, which `build.ts` makes. */
export const certificate: string = built('tls.pem');

/** The contender with which the others are compared, unless the workload names another one. */
export const reference = 'c-epoll';

/** The contender with which this one is compared in a workload. */
export function referenceFor(contender: Contender, workload: Workload): string {
  const { reference: own = reference, bunReference = own } = workload;
  return contender.onBun ? bunReference : own;
}

/**
 * The framings that are compared with lines: the load generator's name of each, and the notation of yodel. Each is measured on
 * both runtimes.
 */
const framings: readonly { readonly protocol: 'length' | 'resp' | 'until'; readonly notation: string }[] = [
  { protocol: 'length', notation: 'length:4' },
  { protocol: 'resp', notation: 'resp' },
  { protocol: 'until', notation: 'until(lines,/^\\d{3} /)' },
];

/** A way to write the handler of text.ts. */
interface Way {
  readonly name: string;
  readonly title: string;
  readonly file: string;
  readonly flags?: readonly string[];
}

const several = ['--concurrency', '16'];

const ways: readonly Way[] = [
  { name: 'async', title: 'async', file: 'text-async.ts' },
  { name: 'concurrency', title: 'async, 16 at a time', file: 'text-async.ts', flags: several },
  {
    name: 'finished',
    title: 'the same, replies as they are ready',
    file: 'text-async.ts',
    flags: [...several, '--reply-order', 'finished'],
  },
  { name: 'chain-0', title: 'compose() without middleware', file: 'chain-0.ts' },
  { name: 'chain-1', title: 'behind one middleware', file: 'chain-1.ts' },
  { name: 'chain-5', title: 'behind five middleware', file: 'chain-5.ts' },
];

const engineTitles: { readonly [engine in Engine]: string } = { redis: 'Redis', nats: 'NATS' };

/** How the engines are started, without anything on disk. */
export const engines: { readonly [engine in Engine]: (port: number) => Command } = {
  redis: (port) => ['redis-server', '--bind', '127.0.0.1', '--port', `${port}`, '--save', ''],
  nats: (port) => ['nats-server', '-a', '127.0.0.1', '-p', `${port}`],
};

/** In order of presentation; each round starts with a different one. */
export const contenders: readonly Contender[] = [
  {
    name: reference,
    title: 'C, epoll',
    kind: 'reference',
    tools: [gcc],
    build: { by: 'gcc', source: 'peers/epoll.c' },
    serves: {
      echo: ({ port }) => [built('c-epoll'), `${port}`],
      text: ({ port }) => [built('c-epoll'), `${port}`],
      'text-async': ({ port }) => [built('c-epoll'), `${port}`],
      upper: ({ port }) => [built('c-epoll'), `${port}`, 'upper'],
      'upper-async': ({ port }) => [built('c-epoll'), `${port}`, 'upper'],
      'fan-out': ({ port }) => [built('c-epoll'), `${port}`, 'fanout'],
    },
    drives: ({ port, connections, depth, size, seconds }) => [
      built('load'),
      ...['127.0.0.1', `${port}`],
      ...['-c', `${connections}`, '-p', `${depth}`, '-s', `${size}`],
      ...['-t', `${seconds}`, '-w', `${settleSeconds}`],
    ],
  },
  yodelOn('node', node),
  yodelOn('bun', bun),
  withoutJournal('node', node),
  withoutJournal('bun', bun),
  ...framings.flatMap(({ protocol, notation }) => [
    withFraming('node', node, protocol, notation),
    withFraming('bun', bun, protocol, notation),
  ]),
  {
    name: 'rust-threads',
    title: 'Rust, threads',
    kind: 'peer',
    tools: [rustc],
    build: { by: 'rustc', source: 'peers/threads.rs' },
    serves: { echo: ({ port }) => [built('rust-threads'), `${port}`] },
  },
  {
    name: 'tokio-lines',
    title: 'tokio, LinesCodec',
    kind: 'peer',
    tools: [cargo],
    build: { by: 'cargo', source: 'peers/tokio-lines' },
    serves: modes(built('tokio-lines'), ['echo', 'text', 'upper', 'upper-async']),
  },
  {
    name: 'go-bufio',
    title: 'Go, bufio',
    kind: 'peer',
    tools: [go],
    build: { by: 'go', source: 'peers/go/lines.go' },
    serves: modes(built('go-bufio'), ['echo', 'upper']),
    except: { 'transform-async': 'Go has no async functions' },
  },
  {
    name: 'uvloop',
    title: 'asyncio, uvloop',
    kind: 'peer',
    tools: [pythonTool, uvloop],
    serves: modes([python, peer('lines.py')], ['echo', 'text', 'upper', 'upper-async']),
  },
  {
    name: 'ncat',
    title: 'ncat -e /bin/cat',
    kind: 'peer',
    tools: [ncat],
    forks: true,
    serves: { echo: ({ port }) => ['ncat', '-lk', '-e', '/bin/cat', '127.0.0.1', `${port}`] },
    except: {
      huge: 'it stalls once the pipe to cat is full',
      idle: 'one process per connection',
      'slow-drip': 'one process per connection',
      'never-reads': 'it accepts at most 100 connections',
    },
  },
  {
    name: 'socat',
    title: 'socat fork PIPE',
    kind: 'peer',
    tools: [socat],
    forks: true,
    serves: {
      echo: ({ port }) => ['socat', `TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,backlog=128,nodelay,fork`, 'PIPE'],
    },
    except: { idle: 'one process per connection', 'slow-drip': 'one process per connection' },
  },
  {
    name: 'node-plain',
    title: 'plain node:net',
    kind: 'plain',
    tools: [node],
    serves: modes(['node', peer('node-plain.mjs')], ['echo', 'fan-out']),
  },
  {
    name: 'node-lines',
    title: 'plain node:net, lines',
    kind: 'plain',
    tools: [node],
    serves: modes(['node', peer('node-lines.mjs')], ['echo', 'text', 'upper', 'upper-async']),
  },
  {
    name: 'bun-plain',
    title: 'plain Bun.listen',
    kind: 'plain',
    tools: [bun],
    serves: modes(['bun', peer('bun-plain.mjs')], ['echo', 'fan-out']),
    except: { 'never-reads': 'it has no back-pressure: what is not read piles up in it' },
  },
  {
    name: 'node-room',
    title: 'plain node:net, joined writes',
    kind: 'plain',
    tools: [node],
    serves: { room: ({ port }) => ['node', peer('node-room.mjs'), `${port}`] },
  },
  {
    name: 'ws-room',
    title: 'plain ws',
    kind: 'plain',
    tools: [node, ws],
    serves: { 'room-websocket': ({ port }) => ['node', peer('ws-room.mjs'), `${port}`] },
  },
  {
    name: 'bun-publish',
    title: 'Bun.serve, publish',
    kind: 'plain',
    tools: [bun],
    serves: { 'room-websocket': ({ port }) => ['bun', peer('bun-publish.mjs'), `${port}`] },
    onBun: true,
  },
  {
    name: 'socket-io',
    title: 'Socket.IO',
    kind: 'peer',
    tools: [node, socketIo],
    serves: {
      'room-websocket': ({ port }) => ['node', peer('socket-io-room.mjs'), `${port}`],
      'room-nodes': ({ port }) => ['node', peer('socket-io-room.mjs'), `${port}`],
    },
    protocol: 'socket.io',
  },
  socketIoWith('redis', 'its Redis adapter', socketIoRedis),
  socketIoWith('streams', 'its Redis streams adapter', socketIoStreams),
  withoutRooms('node', node),
  withoutRooms('bun', bun),
  withoutCodec('node', node, 'text', 'text only'),
  withoutCodec('bun', bun, 'text', 'text only'),
  withoutCodec('node', node, 'own-json', 'JSON.parse in the handler'),
  withoutCodec('bun', bun, 'own-json', 'JSON.parse in the handler'),
  ...ways.flatMap((way) => [writtenAs('node', node, way), writtenAs('bun', bun, way)]),
  withWorkers('node', node),
  withWorkers('bun', bun),
  withNodes('node', node, 'redis', redis),
  withNodes('node', node, 'nats', nats),
  withNodes('bun', bun, 'redis', redis),
  withNodes('bun', bun, 'nats', nats),
  {
    name: 'bare-node',
    title: 'bare node:net',
    kind: 'plain',
    tools: [node],
    serves: modes(['node', peer('bare-node.mjs')], ['echo']),
  },
  {
    name: 'bare-bun',
    title: 'bare Bun.listen',
    kind: 'plain',
    tools: [bun],
    serves: modes(['bun', peer('bare-bun.mjs')], ['echo']),
  },
  {
    name: 'redis',
    title: 'Redis',
    kind: 'peer',
    tools: [redis],
    serves: {
      'fan-out': ({ port }) => engines.redis(port),
      room: ({ port }) => engines.redis(port),
      'room-nodes': ({ port }) => engines.redis(port),
      // One stream; a message is acknowledged once it is on disk.
      record: ({ port, folder }) => [
        ...engines.redis(port),
        ...['--dir', folder],
        ...['--appendonly', 'yes', '--appendfsync', 'always', '--auto-aof-rewrite-percentage', '0'],
      ],
    },
    protocol: 'redis',
  },
  {
    name: 'nats',
    title: 'NATS',
    kind: 'peer',
    tools: [nats],
    serves: {
      'fan-out': ({ port }) => engines.nats(port),
      room: ({ port }) => engines.nats(port),
      'room-nodes': ({ port }) => engines.nats(port),
      // Versions before 2.10 cannot fsync before they acknowledge; they do so every two minutes.
      record: ({ port, folder }) => [...engines.nats(port), '-js', '-sd', folder],
    },
    protocol: 'nats',
  },
  {
    name: 'ws',
    title: 'plain ws',
    kind: 'plain',
    tools: [node, ws],
    serves: { websocket: ({ port }) => ['node', peer('ws-echo.mjs'), `${port}`] },
  },
  {
    name: 'bun-serve',
    title: 'plain Bun.serve',
    kind: 'plain',
    tools: [bun],
    serves: { websocket: ({ port }) => ['bun', peer('bun-serve-ws.mjs'), `${port}`] },
    onBun: true,
  },
  {
    name: 'node-tls',
    title: 'plain node:tls',
    kind: 'plain',
    tools: [node],
    serves: { tls: ({ port }) => ['node', peer('node-tls.mjs'), `${port}`, certificate] },
  },
  {
    name: 'bun-tls',
    title: 'node:tls on Bun',
    kind: 'plain',
    tools: [bun],
    serves: { tls: ({ port }) => ['bun', peer('node-tls.mjs'), `${port}`, certificate] },
    onBun: true,
  },
  {
    name: 'bun-listen-tls',
    title: 'plain Bun.listen',
    kind: 'plain',
    tools: [bun],
    serves: {
      tls: ({ port, longestMessage }) => [
        ...(['bun', peer('bun-plain.mjs')] as const),
        ...[`${port}`, 'echo', `${longestMessage}`, certificate],
      ],
    },
    onBun: true,
  },
  {
    name: 'nginx',
    title: 'nginx stream',
    kind: 'peer',
    tools: [nginx],
    // The server in C, to which nginx passes the bytes, is built first.
    serves: { tls: ({ port, folder }) => ['sh', nginxStarter, `${port}`, certificate, folder, built('c-epoll')] },
  },
];

/** The same server without a journal, to show what the journal costs. */
function withoutJournal(runtime: 'node' | 'bun', tool: Tool): Contender {
  const { serves, title } = yodelOn(runtime, tool);
  return {
    name: `yodel-${runtime}-unrecorded`,
    title: `${title}, without a journal`,
    kind: 'plain',
    tools: [tool, builtCommand],
    serves: serves.echo ? { record: serves.echo } : {},
  };
}

/** The same server with a loop over its sessions, to show what rooms save. */
function withoutRooms(runtime: 'node' | 'bun', tool: Tool): Contender {
  return {
    name: `yodel-${runtime}-loop`,
    title: `${titleOn(runtime)}, a loop over session.send`,
    kind: 'plain',
    tools: [tool, builtCommand],
    serves: { room: (given) => serveOn(runtime, handler('room-loop.ts'), given) },
    ...(runtime === 'bun' ? { onBun: true } : {}),
  };
}

/** The same server without a codec, to show what one costs. */
function withoutCodec(runtime: 'node' | 'bun', tool: Tool, does: 'text' | 'own-json', title: string): Contender {
  return {
    name: `yodel-${runtime}-${does}`,
    title: `${titleOn(runtime)}, ${title}`,
    kind: 'plain',
    tools: [tool, builtCommand],
    serves: { json: (given) => serveOn(runtime, handler(`${does}.ts`), given) },
    ...(runtime === 'bun' ? { onBun: true } : {}),
  };
}

/** The same handler, written in another way, to show what that costs. */
function writtenAs(runtime: 'node' | 'bun', tool: Tool, { name, title, file, flags = [] }: Way): Contender {
  return {
    name: `yodel-${runtime}-${name}`,
    title: `${titleOn(runtime)}, ${title}`,
    kind: 'yodel',
    tools: [tool, builtCommand],
    serves: { ways: (given) => serveOn(runtime, handler(file), given, { more: flags }) },
    ...(runtime === 'bun' ? { onBun: true } : {}),
  };
}

/** The same server in several processes, to show what the way between them costs. */
function withWorkers(runtime: 'node' | 'bun', tool: Tool): Contender {
  return {
    name: `yodel-${runtime}-workers`,
    title: `${titleOn(runtime)}, two workers`,
    kind: 'yodel',
    tools: [tool, builtCommand],
    serves: { 'room-workers': (given) => serveOn(runtime, handler('room.ts'), given, { more: ['--workers', '2'] }) },
    ...(runtime === 'bun' ? { onBun: true } : {}),
  };
}

/** The same server as two nodes, to show what the engine between them costs. */
function withNodes(runtime: 'node' | 'bun', tool: Tool, engine: Engine, engineTool: Tool): Contender {
  return {
    name: `yodel-${runtime}-${engine}`,
    title: `${titleOn(runtime)}, two nodes with ${engineTitles[engine]}`,
    kind: 'yodel',
    tools: [tool, builtCommand, engineTool],
    engine,
    serves: {
      'room-nodes': (given) =>
        serveOn(runtime, handler('room.ts'), given, { more: given.bus ? ['--bus', given.bus] : [] }),
    },
    ...(runtime === 'bun' ? { onBun: true } : {}),
  };
}

/** Socket.IO as two nodes, with one of its adapters. */
function socketIoWith(adapter: 'redis' | 'streams', title: string, adapterTool: Tool): Contender {
  return {
    name: `socket-io-${adapter}`,
    title: `Socket.IO, two nodes with ${title}`,
    kind: 'peer',
    tools: [node, socketIo, adapterTool, redis],
    engine: 'redis',
    serves: {
      'room-nodes': ({ port, bus = '' }) => ['node', peer('socket-io-room.mjs'), `${port}`, adapter, bus],
    },
    protocol: 'socket.io',
  };
}

/** The same server with another framing, to show what the framing costs. */
function withFraming(
  runtime: 'node' | 'bun',
  tool: Tool,
  protocol: 'length' | 'resp' | 'until',
  notation: string,
): Contender {
  return {
    name: `yodel-${runtime}-${protocol}`,
    title: `${titleOn(runtime)}, ${protocol}`,
    kind: 'yodel',
    tools: [tool, builtCommand],
    serves: { framing: (given) => serveOn(runtime, 'echo', given, { more: ['--framing', notation] }) },
    protocol,
    ...(runtime === 'bun' ? { onBun: true } : {}),
  };
}

function titleOn(runtime: 'node' | 'bun'): string {
  return `yodel on ${runtime === 'node' ? 'Node' : 'Bun'}`;
}

/** The built command, as a user runs it. Limits are raised only where a workload exceeds them. */
function serveOn(
  runtime: 'node' | 'bun',
  what: string,
  { port, longestMessage, clients }: Given,
  { scheme = 'tcp', more = [] }: { readonly scheme?: string; readonly more?: readonly string[] } = {},
): Command {
  return [
    runtime,
    command,
    'serve',
    what,
    '--quiet',
    ...['--listen', `${scheme}://127.0.0.1:${port}`],
    ...more,
    ...(longestMessage > 65_536
      ? ['--max-message', `${longestMessage}`, '--high-water-mark', `${longestMessage}`]
      : []),
    // The default limit is exactly 10,000, and the first client may still be closing.
    ...(clients >= 10_000 ? ['--max-connections', `${clients + 100}`] : []),
  ];
}

function yodelOn(runtime: 'node' | 'bun', tool: Tool): Contender {
  const serve = (what: string) => (given: Given) => serveOn(runtime, what, given);
  return {
    name: `yodel-${runtime}`,
    title: titleOn(runtime),
    kind: 'yodel',
    tools: [tool, builtCommand],
    serves: {
      echo: serve('echo'),
      text: serve(handler('text.ts')),
      'text-async': serve(handler('text-async.ts')),
      upper: serve(handler('upper.ts')),
      'upper-async': serve(handler('upper-async.ts')),
      json: serve(handler('json.ts')),
      ways: serve(handler('text.ts')),
      'fan-out': serve(handler('fan-out.ts')),
      room: serve(handler('room.ts')),
      'room-workers': serve(handler('room.ts')),
      'room-nodes': serve(handler('room.ts')),
      'room-websocket': (given) => serveOn(runtime, handler('room.ts'), given, { scheme: 'ws' }),
      record: (given) => serveOn(runtime, 'echo', given, { more: ['--journal', `${given.folder}/bench.journal`] }),
      websocket: (given) => serveOn(runtime, 'echo', given, { scheme: 'ws' }),
      tls: (given) => serveOn(runtime, 'echo', given, { scheme: 'tls', more: ['--cert', certificate] }),
      framing: serve('echo'),
      // With its default settings, the log included: what an attack costs depends on them.
      abuse: ({ port, flags = [] }) => [runtime, command, 'serve', '--listen', `127.0.0.1:${port}`, ...flags],
    },
    drives: ({ port, connections, depth, size, seconds }) => [
      runtime,
      ...[command, 'bench', `127.0.0.1:${port}`, '--json'],
      // `--size` does not include the newline.
      ...['-c', `${connections}`, '-P', `${depth}`, '--size', `${size - 1}`],
      ...['-d', `${seconds}s`],
    ],
    ...(runtime === 'bun' ? { onBun: true } : {}),
  };
}

/** A program whose arguments are PORT MODE LONGEST, where the mode has the name of the service. */
function modes(program: string | readonly [string, ...string[]], services: readonly Service[]): Contender['serves'] {
  const [file, ...rest] = typeof program === 'string' ? ([program] as const) : program;
  // Programs with both services decode text when they echo.
  const modeOf = (service: Service) => (service === 'text' ? 'echo' : service);
  return Object.fromEntries(
    services.map((service) => [
      service,
      ({ port, longestMessage }: Given): Command => [file, ...rest, `${port}`, modeOf(service), `${longestMessage}`],
    ]),
  );
}
