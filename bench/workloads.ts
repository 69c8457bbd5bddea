/** The workloads as plain data. `run.ts` runs them. */

/** What a server must do in a workload. Each contender lists the services it offers. */
export type Service = 'echo' | 'text' | 'text-async' | 'upper' | 'upper-async' | 'fan-out' | 'record';

export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly service: Service;
  /** A mode of the load generator, or `drive` if the contenders are load generators themselves. */
  readonly mode: 'echo' | 'connect' | 'idle' | 'fanout' | 'publish' | 'background' | 'start' | 'drive';
  readonly connections: number;
  /** The clients that disturb the second measurement. Only in the mode `background`. */
  readonly background?: { readonly does: 'drip' | 'never-read'; readonly clients: number };
  /** Messages in flight on each connection. */
  readonly depth: number;
  /** Bytes of a message, newline included. */
  readonly size: number;
  readonly unit: string;
  readonly better: 'more' | 'less';
  /** Whether a ratio to the reference is meaningful. */
  readonly ratio: boolean;
  /** The reference. Default: C. */
  readonly reference?: 'redis';
  /** Whether latencies are shown. */
  readonly latency: boolean;
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

const transform = { ...echo, depth: 100, chart: 'transform' } as const;

/** Each message is on disk before it is acknowledged. */
const record = { ...echo, service: 'record', mode: 'publish', reference: 'redis', chart: 'journal' } as const;
const pipelined = 64;

/** In the order in which they run and appear in the results. */
export const workloads: readonly Workload[] = [
  { ...echo, name: 'one-at-a-time', title: '64 connections, 64 B, one message at a time' },
  { ...echo, name: 'pipelined', title: '64 connections, 64 B, pipelined by 100', depth: 100 },
  { ...echo, name: 'large', title: '64 connections, 16 KiB, one at a time', size: 16_384 },
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
  { ...drive, name: 'drive-one-at-a-time', title: 'Load generators: 64 connections, 64 B, one message at a time' },
  {
    ...drive,
    name: 'drive-pipelined',
    title: 'Load generators: 64 connections, 64 B, pipelined by 100',
    depth: 100,
  },
  { ...drive, name: 'drive-large', title: 'Load generators: 64 connections, 16 KiB, one at a time', size: 16_384 },
  { ...drive, name: 'drive-latency', title: 'Load generators: 1 connection, 64 B, one at a time', connections: 1 },
];

function clients(count: number): string {
  return count === 1 ? '1 client' : `${count} clients`;
}
