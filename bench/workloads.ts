/** The workloads as plain data. `run.ts` runs them. */
import { type Attack, attacks } from './attacks/attacks.ts';
import { chrt, libssl, openssl, type Tool } from './tools.ts';

/** What a server must do in a workload. Each contender lists the services it offers. */
export type Service =
  | 'echo'
  | 'text'
  | 'text-async'
  | 'upper'
  | 'upper-async'
  | 'json'
  | 'ways'
  | 'fan-out'
  | 'room'
  | 'room-websocket'
  | 'room-workers'
  | 'room-nodes'
  | 'record'
  | 'websocket'
  | 'tls'
  | 'framing'
  | 'abuse';

export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly service: Service;
  /** A mode of the load generator, or `drive` if the contenders are load generators themselves. */
  readonly mode:
    | 'echo'
    | 'connect'
    | 'idle'
    | 'fanout'
    | 'room'
    | 'publish'
    | 'background'
    | 'start'
    | 'drive'
    | 'abuse';
  readonly connections: number;
  /** The clients that send, beside the `connections` that receive. Only in the mode `room`. Default: 32. */
  readonly publishers?: number;
  /** The clients that disturb the second measurement. Only in the mode `background`. */
  readonly background?: { readonly does: 'drip' | 'never-read'; readonly clients: number };
  /** The attack beside which one client is measured. Only in the mode `abuse`. */
  readonly attack?: Attack;
  /** Messages in flight on each connection. */
  readonly depth: number;
  /** Bytes of a message with all that frames it, such as the newline; with WebSocket, of its payload. */
  readonly size: number;
  readonly unit: string;
  readonly better: 'more' | 'less';
  /** Whether a ratio to the reference is meaningful. */
  readonly ratio: boolean;
  /** The contender to which the others are compared. Default: C. */
  readonly reference?: string;
  /** The one to which contenders on Bun are compared. Default: the same. */
  readonly bunReference?: string;
  /** What the load generator needs. Without it, the workload is left out. */
  readonly needs?: readonly Tool[];
  /** Whether latencies are shown. */
  readonly latency: boolean;
  /** Whether it is shown by how much latencies are longer than those of the reference. */
  readonly addedLatency?: true;
  /** Whether the processor time of the servers, and of the engine between them, is shown. */
  readonly processorTime?: true;
  /** The chart it appears in. */
  readonly chart: string;
}

const echo = {
  service: 'echo',
  mode: 'echo',
  connections: 64,
  depth: 1,
  size: 64,
  unit: 'messages/s',
  better: 'more',
  ratio: true,
  latency: true,
  chart: 'echo',
} as const;

const drive = { ...echo, mode: 'drive', chart: 'generators' } as const;

/** Latency with background clients as a multiple of that without: each server is compared with itself. */
const loaded = {
  ...echo,
  mode: 'background',
  unit: 'times',
  better: 'less',
  ratio: false,
  chart: 'background',
} as const;

/** Every member checks that it receives every message once and in order. */
const room = {
  ...echo,
  service: 'room',
  mode: 'room',
  connections: 1000,
  depth: 4,
  unit: 'deliveries/s',
  reference: 'node-room',
  chart: 'rooms',
} as const;

/** What the way from one worker to another costs: each is compared with the same server in one process. */
const roomOverWorkers = {
  ...room,
  service: 'room-workers',
  reference: 'yodel-node',
  bunReference: 'yodel-bun',
} as const;

/** The same with two nodes and what carries messages between them. */
const roomOverNodes = { ...roomOverWorkers, service: 'room-nodes', processorTime: true } as const;

const transform = { ...echo, depth: 100, chart: 'transform' } as const;

/** Each message is on disk before it is acknowledged. */
const record = { ...echo, service: 'record', mode: 'publish', reference: 'redis', chart: 'journal' } as const;
const pipelined = 64;

/** The plain servers of the two runtimes are the reference: the aim is to be as fast as the runtime. */
const webSocket = {
  ...echo,
  service: 'websocket',
  reference: 'ws',
  bunReference: 'bun-serve',
  chart: 'websocket',
} as const;
const tls = {
  ...echo,
  service: 'tls',
  reference: 'node-tls',
  bunReference: 'bun-tls',
  needs: [libssl, openssl],
  chart: 'tls',
} as const;

/** Other framings beside lines. */
const framing = {
  ...echo,
  service: 'framing',
  reference: 'yodel-node',
  bunReference: 'yodel-bun',
  chart: 'framing',
} as const;

/** In the order in which they run and appear in the results. */
export const workloads: readonly Workload[] = [
  ...threeLoads(echo),
  { ...echo, name: 'huge', title: '1 connection, 1 MiB, one at a time', connections: 1, size: 1_048_576 },
  { ...echo, name: 'latency', title: '1 connection, 64 B, one at a time: latency', connections: 1 },
  { ...transform, name: 'text', title: 'Each message as text, and back, pipelined by 100', service: 'text' },
  { ...transform, name: 'text-async', title: 'As text with an async handler', service: 'text-async' },
  { ...transform, name: 'transform', title: 'Each message upper-cased, pipelined by 100', service: 'upper' },
  {
    ...transform,
    name: 'transform-async',
    title: 'Upper-cased with an async handler',
    service: 'upper-async',
  },
  {
    ...transform,
    name: 'json',
    title: 'Each message (128 B) from JSON and back, pipelined by 100',
    service: 'json',
    size: 128,
    reference: 'yodel-node-text',
    bunReference: 'yodel-bun-text',
  },
  {
    ...echo,
    name: 'idle',
    title: 'Memory of an idle connection',
    mode: 'idle',
    connections: 10_000,
    unit: 'bytes',
    better: 'less',
    // The C server needs some 50 bytes; a ratio to that is meaningless.
    ratio: false,
    latency: false,
    chart: 'connections',
  },
  {
    ...echo,
    name: 'connect',
    title: 'Connect, one echo, close; 64 at the same time',
    mode: 'connect',
    unit: 'connections/s',
    chart: 'connections',
  },
  {
    ...echo,
    name: 'fan-out',
    title: 'One sends, 1000 receive; 64 B, one at a time',
    service: 'fan-out',
    mode: 'fanout',
    connections: 1000,
    unit: 'deliveries/s',
    chart: 'fan-out',
  },
  {
    ...room,
    name: 'room',
    title: '32 send, 1000 receive; 64 B, 4 in flight each',
  },
  { ...room, name: 'room-one-at-a-time', title: '32 send, 1000 receive; 64 B, one at a time', depth: 1 },
  {
    ...room,
    name: 'room-websocket',
    title: '32 send, 1000 receive over WebSocket; 64 B, 4 in flight each',
    service: 'room-websocket',
    reference: 'ws-room',
    bunReference: 'bun-publish',
  },
  {
    ...roomOverWorkers,
    name: 'room-workers',
    title: '32 send, 1000 receive, with two worker processes on one core; 64 B, 4 in flight each',
  },
  {
    ...roomOverWorkers,
    name: 'room-workers-latency',
    title: '1 sends, 16 receive, with two worker processes on one core; 64 B, one at a time',
    connections: 16,
    publishers: 1,
    depth: 1,
  },
  {
    ...roomOverNodes,
    name: 'room-nodes',
    title: '32 send, 1000 receive, with two nodes and the engine between them on one core; 64 B, 4 in flight each',
  },
  {
    ...roomOverNodes,
    name: 'room-nodes-latency',
    title: '1 sends, 16 receive, with two nodes and the engine between them on one core; 64 B, one at a time',
    connections: 16,
    publishers: 1,
    depth: 1,
    addedLatency: true,
  },
  {
    ...loaded,
    name: 'slow-drip',
    title: 'One client, with thousands of slow senders in the background',
    connections: 1,
    background: { does: 'drip', clients: 5000 },
  },
  {
    ...loaded,
    name: 'never-reads',
    title: '100 clients, with one in the background that never reads',
    connections: 100,
    background: { does: 'never-read', clients: 1 },
  },
  {
    ...echo,
    name: 'start',
    title: 'From start to the first echoed line',
    mode: 'start',
    connections: 1,
    unit: 'ms',
    better: 'less',
    latency: false,
    chart: 'start',
  },
  ...[1, 16, 256].flatMap((connections) => [
    {
      ...record,
      connections,
      name: `record-${connections}`,
      title: `Recorded before acknowledged: ${clients(connections)}, 64 B, one at a time`,
    },
    {
      ...record,
      connections,
      name: `record-${connections}-pipelined`,
      title: `Recorded before acknowledged: ${clients(connections)}, 64 B, pipelined by ${pipelined}`,
      depth: pipelined,
    },
  ]),
  ...attacks.map((attack) => ({
    ...loaded,
    name: `abuse-${attack.name}`,
    title: `A client beside ${attack.title}`,
    service: 'abuse' as const,
    mode: 'abuse' as const,
    connections: 1,
    attack,
    needs: attack.at === 'tls' ? [chrt, openssl] : [chrt],
    chart: 'abuse',
  })),
  ...threeLoads(webSocket, 'websocket-', 'WebSocket: '),
  ...threeLoads(tls, 'tls-', 'TLS: '),
  {
    ...transform,
    name: 'ways',
    title: 'A handler for each message, with what may be around it: 64 connections, 64 B, pipelined by 100',
    service: 'ways',
    reference: 'yodel-node',
    bunReference: 'yodel-bun',
    chart: 'ways',
  },
  ...threeLoads(framing, 'framing-', 'Framings beside lines: '),
  ...threeLoads(drive, 'drive-', 'Load generators: '),
  { ...drive, name: 'drive-latency', title: 'Load generators: 1 connection, 64 B, one at a time', connections: 1 },
];

/** Small messages one at a time and pipelined, and large ones. */
function threeLoads(base: Omit<Workload, 'name' | 'title'>, prefix = '', what = ''): Workload[] {
  const named = (name: string, title: string) => ({ name: prefix + name, title: what + title });
  return [
    { ...base, ...named('one-at-a-time', '64 connections, 64 B, one message at a time') },
    { ...base, ...named('pipelined', '64 connections, 64 B, pipelined by 100'), depth: 100 },
    { ...base, ...named('large', '64 connections, 16 KiB, one at a time'), size: 16_384 },
  ];
}

function clients(count: number): string {
  return count === 1 ? '1 client' : `${count} clients`;
}
