/** One measurement: a fresh server on one core, the load generator on the other. */
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';
import * as net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildFolder, loadGenerator } from './build.ts';
import type { Command, Contender } from './contenders.ts';
import { busySeconds, type Cores, groupSeconds, residentBytes } from './machine.ts';
import { type Child, capture, start } from './processes.ts';
import type { Workload } from './workloads.ts';

/** How long and how much is measured. */
export interface Settings {
  readonly cores: Cores | undefined;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Idle connections, in place of what the workload says. */
  readonly idleConnections: number;
  /** How often a server is started for one measurement of the start. */
  readonly starts: number;
}

export interface Measurement {
  /** In the workload's unit. Undefined when it failed. */
  readonly value?: number;
  /** Latencies of a block, in microseconds. */
  readonly p50?: number;
  readonly p99?: number;
  /** The generator's share of its core, 0 to 1. */
  readonly busy?: number;
  /** Connections that got nothing back in the time measured. */
  readonly silent?: number;
  /** Processor time that others have used meanwhile, as a share of one core. */
  readonly foreign?: number;
  /** Why there is no value. */
  readonly failure?: string;
}

/** What the load generator prints; each mode prints some of it. */
interface LoadReport {
  readonly perSecond?: number;
  readonly p50?: number;
  readonly p99?: number;
  readonly busy?: number;
  readonly silent?: number;
  readonly milliseconds?: number;
  /** Processor time that it has used in all, in seconds. */
  readonly cpu?: number;
}

/** Beyond the time that is measured: starting, connecting, and what a slow server may take. */
const patienceMs = 20_000;

/** Measures once. Never rejects because of the server: what goes wrong there is the measurement's failure. */
export async function measure(contender: Contender, workload: Workload, settings: Settings): Promise<Measurement> {
  const serve = contender.serves[workload.service];
  if (!serve) throw new Error(`${contender.name} has no ${workload.service}`);
  const port = await freePort();
  const clients = workload.mode === 'idle' ? settings.idleConnections : workload.connections;
  const command = serve({ port, clients, longestMessage: Math.max(65_536, workload.size * 2) });
  try {
    if (workload.mode === 'start') return await measureStart(command, port, workload, settings);
    const server = await startServer(command, port, clients, settings);
    const { pid } = server;
    try {
      if (workload.mode === 'idle') return await measureIdle(pid, port, workload, settings);
      return await measureLoad(pid, contender, port, workload, settings);
    } catch (error) {
      throw server.explain(error);
    } finally {
      await server.kill();
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { failure: error.message };
  }
}

/** The server, the generator, or what came back was not as it should be. */
class Failure extends Error {}

async function measureLoad(
  pid: number,
  contender: Contender,
  port: number,
  workload: Workload,
  settings: Settings,
): Promise<Measurement> {
  const options = [
    ...loadOptions(workload),
    ...['-t', `${settings.seconds}`, '-w', `${settings.warmUpSeconds}`],
    ...(contender.dialect ? ['-f', contender.dialect] : []),
  ];
  const watch = contender.forks ? undefined : watchForeign(pid);
  const { perSecond, p50, p99, busy, silent, cpu = 0 } = await runLoad(port, options, settings);
  return defined({ value: perSecond, p50, p99, busy, silent, foreign: watch?.(cpu) });
}

async function measureStart(command: Command, port: number, workload: Workload, settings: Settings) {
  const pin = settings.cores ? ['-k', `${settings.cores.server}`] : [];
  const options = [...loadOptions(workload), '-n', `${settings.starts}`, ...pin, '--', ...command];
  const watch = watchForeign(undefined);
  const { milliseconds, cpu = 0 } = await runLoad(port, options, settings);
  return defined({ value: milliseconds, foreign: watch(cpu) });
}

/** Resident memory with the clients connected, each after one echo, less the memory before, divided by their number. */
async function measureIdle(pid: number, port: number, workload: Workload, settings: Settings): Promise<Measurement> {
  // One client first, so that what the first connection alone costs (code, pools) is not counted.
  await (await connectIdle(port, workload, 1, settings)).kill();
  const before = residentBytes(pid);
  const clients = await connectIdle(port, workload, settings.idleConnections, settings);
  const after = residentBytes(pid);
  await clients.kill();
  return { value: (after - before) / settings.idleConnections };
}

/** Resolves when all clients are connected and have had their echo. */
async function connectIdle(port: number, workload: Workload, count: number, settings: Settings): Promise<Child> {
  const options = [...loadOptions(workload), '-c', `${count}`];
  const child = start(loadCommand(port, options, settings), { input: 'pipe' });
  const stderr: string[] = [];
  child.process.stderr?.on('data', (text) => stderr.push(String(text)));
  const connected = new Promise((resolve) => child.process.stdout?.once('data', resolve));
  const late = delay(patienceMs, 'late', { ref: false });
  const what = await Promise.race([connected, child.ended.then(() => 'ended'), late]);
  if (what !== 'ended' && what !== 'late') return child;
  await child.kill();
  throw new Failure(stderr.join('').trim() || `the clients were not connected within ${patienceMs / 1000} s`);
}

function loadOptions({ mode, connections, depth, size, service }: Workload): string[] {
  const options = ['-m', mode, '-c', `${connections}`, '-p', `${depth}`, '-s', `${size}`];
  return service.startsWith('upper') ? [...options, '-u'] : options;
}

function loadCommand(port: number, options: readonly string[], { cores }: Settings): Command {
  return pinned(cores?.load, [loadGenerator, '127.0.0.1', `${port}`, ...options]);
}

async function runLoad(port: number, options: readonly string[], settings: Settings): Promise<LoadReport> {
  const withinMs = 1000 * (settings.seconds + settings.warmUpSeconds) + patienceMs;
  const outcome = await capture(loadCommand(port, options, settings), { withinMs });
  if (outcome.timedOut) throw new Failure(`no result within ${Math.round(withinMs / 1000)} s`);
  if (outcome.status !== 0)
    throw new Failure(outcome.stderr.trim().replace(/^load: /, '') || 'the load generator died');
  return JSON.parse(outcome.stdout) as LoadReport;
}

/**
 * Begins to watch the processor time that neither the server, nor the generator, nor this process uses. The result ends it:
 * given the generator's own seconds, it gives the others' as a share of one core, or undefined when the time was too short for
 * Linux' clock, which counts in hundredths of a second.
 */
function watchForeign(server: number | undefined): (loadSeconds: number) => number | undefined {
  const look = () => ({
    at: performance.now() / 1000,
    busy: busySeconds(),
    ours: (process.cpuUsage().user + process.cpuUsage().system) / 1e6 + (server ? groupSeconds(server) : 0),
  });
  const before = look();
  return (loadSeconds) => {
    const after = look();
    if (after.at - before.at < 0.25) return undefined;
    const foreign = after.busy - before.busy - (after.ours - before.ours) - loadSeconds;
    return Math.max(0, foreign / (after.at - before.at));
  };
}

interface Server {
  readonly pid: number;
  /** Adds to a failure what became of the server. */
  explain(error: unknown): unknown;
  kill(): Promise<void>;
}

/** Resolves when it takes connections. */
async function startServer(command: Command, port: number, clients: number, settings: Settings): Promise<Server> {
  const log = openLog();
  const child = start(guarded(clients + 200, pinned(settings.cores?.server, command)), { output: log.descriptor });
  const kill = () => child.kill().finally(() => closeSync(log.descriptor));
  const explain = (error: unknown) => {
    if (!(error instanceof Failure && child.hasEnded())) return error;
    return new Failure(`the server ended; it said: ${log.lastLine()} (${error.message})`);
  };
  const giveUpAt = performance.now() + patienceMs;
  while (!(await listens(port))) {
    if (!child.hasEnded() && performance.now() < giveUpAt) {
      await delay(5);
      continue;
    }
    const why = log.lastLine();
    await kill();
    throw new Failure(`the server does not listen; it said: ${why}`);
  }
  return { pid: child.pid, explain, kill };
}

/**
 * Takes what a server says. A file, not a pipe: what it says about its clients shall cost nobody anything while it is
 * measured. The file has no name, so that nothing is left of it.
 */
function openLog(): { readonly descriptor: number; lastLine(): string } {
  const path = join(buildFolder, `server-${process.pid}.log`);
  const descriptor = openSync(path, 'a+');
  unlinkSync(path);
  const lastLine = () => {
    const tail = Buffer.alloc(2000);
    const length = readSync(descriptor, tail, 0, tail.length, Math.max(0, fstatSync(descriptor).size - tail.length));
    return tail.toString('utf8', 0, length).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
  };
  return { descriptor, lastLine };
}

/** The program itself takes the place of each of these, so that the process id is its own. */
function pinned(core: number | undefined, command: Command): Command {
  return core === undefined ? command : ['taskset', '-c', `${core}`, ...command];
}

/** With room for so many descriptors, and killed by Linux if this process is killed itself (where there is `setpriv`). */
function guarded(descriptors: number, command: Command): Command {
  const script = `ulimit -Sn ${descriptors} 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
    command -v setpriv >/dev/null && set -- setpriv --pdeathsig KILL "$@"
    exec "$@"`;
  return ['sh', '-c', script, 'sh', ...command];
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** A free port below those that the system gives to clients, of whom there will be thousands. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = net.createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Without what is undefined. */
function defined(measurement: { readonly [name in keyof Measurement]: Measurement[name] | undefined }): Measurement {
  return Object.fromEntries(Object.entries(measurement).filter(([, value]) => value !== undefined));
}
