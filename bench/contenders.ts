/** Who is measured: plain data. What each one is, and why in this form, stands in README.md. */
import { fileURLToPath } from 'node:url';
import type { Service } from './workloads.ts';

/** A program that a contender needs. */
export interface Tool {
  readonly name: string;
  /** Prints its version and ends with status 0, if it is there. */
  readonly version: readonly [string, ...string[]];
  readonly install: string;
}

/** What a server's command is made from. */
export interface Given {
  readonly port: number;
  /** In bytes. Only the workload with 1 MiB goes beyond 64 KiB. */
  readonly longestMessage: number;
  readonly clients: number;
  /** Its own, on the disk, for what it has to keep. */
  readonly folder: string;
}

/** What a load generator's command is made from. */
export interface Load {
  readonly port: number;
  readonly connections: number;
  /** Messages under way on a connection. */
  readonly depth: number;
  /** Bytes of a message with its newline. */
  readonly size: number;
  readonly seconds: number;
}

export type Command = readonly [string, ...string[]];

export interface Contender {
  readonly name: string;
  readonly title: string;
  readonly kind: 'reference' | 'yodel' | 'plain' | 'peer';
  readonly tools: readonly Tool[];
  /** A source below bench/, and the tool that builds it to bench/build/NAME. */
  readonly build?: { readonly by: 'gcc' | 'rustc' | 'go' | 'cargo'; readonly source: string };
  readonly serves: { readonly [service in Service]?: (given: Given) => Command };
  /** As a load generator, it drives the C server. */
  readonly drives?: (load: Load) => Command;
  /** Workloads that it cannot do although it has the service, and why. */
  readonly except?: { readonly [workload: string]: string };
  /** It starts processes that come and go, so that nobody can tell how much processor time is its own. */
  readonly forks?: true;
  /** How its clients subscribe and publish. Default: lines. */
  readonly dialect?: 'redis' | 'nats';
}

/** The load generator forgets so much at the beginning of a slice: while it connects, nothing is as it will be. */
export const settleSeconds = 0.05;

const here = fileURLToPath(new URL('.', import.meta.url));
const peer = (file: string) => `${here}peers/${file}`;
const handler = (file: string) => `${here}handlers/${file}`;
const built = (name: string) => `${here}build/${name}`;
const command = fileURLToPath(new URL('../dist/cli/yodel.cjs', import.meta.url));
const python = process.env.PYTHON ?? '/usr/bin/python3';

export const gcc: Tool = { name: 'gcc', version: ['gcc', '--version'], install: 'apt-get install gcc libc6-dev' };
const rustc: Tool = { name: 'rustc', version: ['rustc', '--version'], install: 'https://rustup.rs' };
const cargo: Tool = {
  name: 'cargo',
  version: ['cargo', '--version'],
  install:
    'https://rustup.rs; without crates.io: apt-get install librust-tokio-dev librust-tokio-util-dev librust-futures-dev',
};
const go: Tool = { name: 'go', version: ['go', 'version'], install: 'apt-get install golang-go' };
const node: Tool = { name: 'node', version: ['node', '--version'], install: 'npm install' };
const bun: Tool = { name: 'bun', version: ['bun', '--version'], install: 'npm install' };
const builtCommand: Tool = { name: 'yodel', version: ['node', command, '--version'], install: 'npm run build' };
const pythonTool: Tool = { name: 'python', version: [python, '--version'], install: 'apt-get install python3' };
const uvloop: Tool = {
  name: 'uvloop',
  version: [python, '-c', 'import uvloop; print(uvloop.__version__)'],
  install: 'apt-get install python3-uvloop (PYTHON=… names another interpreter)',
};
const ncat: Tool = { name: 'ncat', version: ['ncat', '--version'], install: 'apt-get install ncat' };
const socat: Tool = { name: 'socat', version: ['socat', '-V'], install: 'apt-get install socat' };
const redis: Tool = { name: 'redis', version: ['redis-server', '--version'], install: 'apt-get install redis-server' };
const nats: Tool = { name: 'nats', version: ['nats-server', '--version'], install: 'apt-get install nats-server' };

/** The contender that all others are compared with. */
export const reference = 'c-epoll';

/** In the order in which they are named; each round begins with another one. */
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
      huge: 'it stands still once the pipe to cat is full',
      idle: 'a process for each connection',
      'slow-drip': 'a process for each connection',
      'never-reads': 'it takes 100 connections',
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
    except: { idle: 'a process for each connection', 'slow-drip': 'a process for each connection' },
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
      'fan-out': ({ port }) => ['redis-server', '--bind', '127.0.0.1', '--port', `${port}`, '--save', ''],
      // One stream; the answer comes when the disk has it.
      record: ({ port, folder }) => [
        'redis-server',
        ...['--bind', '127.0.0.1', '--port', `${port}`, '--save', '', '--dir', folder],
        ...['--appendonly', 'yes', '--appendfsync', 'always', '--auto-aof-rewrite-percentage', '0'],
      ],
    },
    dialect: 'redis',
  },
  {
    name: 'nats',
    title: 'NATS',
    kind: 'peer',
    tools: [nats],
    serves: {
      'fan-out': ({ port }) => ['nats-server', '-a', '127.0.0.1', '-p', `${port}`],
      // Versions before 2.10 cannot be told to fsync before they answer: this one does so every two minutes.
      record: ({ port, folder }) => ['nats-server', '-a', '127.0.0.1', '-p', `${port}`, '-js', '-sd', folder],
    },
    dialect: 'nats',
  },
];

/** What the journal costs, it is compared with. */
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

/** The built command, as a user runs it. Its limits are raised only where a workload goes beyond them. */
function yodelOn(runtime: 'node' | 'bun', tool: Tool): Contender {
  const serve =
    (what: string, isRecorded = false) =>
    ({ port, longestMessage, clients, folder }: Given): Command => [
      runtime,
      command,
      'serve',
      what,
      '--quiet',
      ...['--listen', `127.0.0.1:${port}`],
      ...(isRecorded ? ['--journal', `${folder}/bench.journal`] : []),
      ...(longestMessage > 65_536
        ? ['--max-message', `${longestMessage}`, '--high-water-mark', `${longestMessage}`]
        : []),
      // One more than the default has room for: the first client of all is still leaving.
      ...(clients >= 10_000 ? ['--max-connections', `${clients + 100}`] : []),
    ];
  return {
    name: `yodel-${runtime}`,
    title: `yodel on ${runtime === 'node' ? 'Node' : 'Bun'}`,
    kind: 'yodel',
    tools: [tool, builtCommand],
    serves: {
      echo: serve('echo'),
      text: serve(handler('text.ts')),
      'text-async': serve(handler('text-async.ts')),
      upper: serve(handler('upper.ts')),
      'upper-async': serve(handler('upper-async.ts')),
      'fan-out': serve(handler('fan-out.ts')),
      record: serve('echo', true),
    },
    drives: ({ port, connections, depth, size, seconds }) => [
      runtime,
      ...[command, 'bench', `127.0.0.1:${port}`, '--json'],
      // Its size does not count the newline.
      ...['-c', `${connections}`, '-P', `${depth}`, '--size', `${size - 1}`],
      ...['-d', `${seconds}s`],
    ],
  };
}

/** A program that takes PORT MODE LONGEST, where a mode is named as the service that it gives. */
function modes(program: string | readonly [string, ...string[]], services: readonly Service[]): Contender['serves'] {
  const [file, ...rest] = typeof program === 'string' ? ([program] as const) : program;
  // Those that can do both make text of what they echo.
  const modeOf = (service: Service) => (service === 'text' ? 'echo' : service);
  return Object.fromEntries(
    services.map((service) => [
      service,
      ({ port, longestMessage }: Given): Command => [file, ...rest, `${port}`, modeOf(service), `${longestMessage}`],
    ]),
  );
}
