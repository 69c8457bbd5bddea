/** One measurement: a server on one core, the load generator on the other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Abuse, measureAbuse } from './abuse.ts';
import type { Attack } from './attacks/attacks.ts';
import { buildFolder } from './build.ts';
import { type Command, type Contender, contenders, type Given, reference, settleSeconds } from './contenders.ts';
import { type Latencies, loadCommand, runGenerator, type Settings } from './generator.ts';
import { groupSeconds, residentBytes, startForeignTimer } from './machine.ts';
import { processesOf, startNodes } from './nodes.ts';
import { type Child, start } from './processes.ts';
import { Failure, freePort, pinned, type Server, startServer, timeoutMs } from './server.ts';
import type { Service, Workload } from './workloads.ts';

export interface Measurement {
  /** In the workload's unit. Undefined if the measurement failed. */
  readonly value?: number;
  /** Latencies in microseconds: of a block, or of a message if `yodel bench` measured them. */
  readonly p50?: number;
  readonly p99?: number;
  /** The same clients' latencies without background clients. */
  readonly alone?: Latencies;
  /** The three measurements of a server with an attack. */
  readonly abuse?: Abuse;
  /** The share of a core, 0 to 1, that the server, or all its nodes, took, and that the engine between the nodes took. */
  readonly servers?: number;
  readonly engine?: number;
  /** The generator's share of its core, 0 to 1. */
  readonly busy?: number;
  /** Connections that received nothing while measuring. */
  readonly silent?: number;
  /** Processor time of other processes meanwhile, as a share of one core. */
  readonly foreign?: number;
  /** The reason if there is no value. */
  readonly failure?: string;
}

/** The load generator's output in the mode `background`. */
interface BackgroundReport {
  readonly alone: Latencies;
  readonly loaded: LoadReport & Latencies;
}

/** The load generator's output; each mode prints some of these fields. */
interface LoadReport {
  readonly perSecond?: number;
  readonly p50?: number;
  readonly p99?: number;
  readonly busy?: number;
  readonly silent?: number;
  /** The share of a core that each process of the server took, in the order of {@link processesOf}. */
  readonly cpu?: readonly number[];
  readonly milliseconds?: number;
  readonly alone?: Latencies;
}

/** The fields that are read from the output of `yodel bench --json`; its latencies are milliseconds. */
interface YodelReport {
  readonly kind: 'yodel-bench';
  readonly rate: { readonly achieved: number };
  readonly latency: { readonly p50: number; readonly p99: number } | null;
  readonly generator: { readonly cpu: number };
}

/** The contenders of one workload in one round. */
export interface Runner {
  /** Starts the contender's server and warms it up, if that has not been done. Failures show in the measurement. */
  prepare(contender: Contender): Promise<void>;
  /** Measures once. A failure of the server is reported in the measurement; it does not reject. */
  measure(contender: Contender): Promise<Measurement>;
  /** Kills all servers. */
  end(): Promise<void>;
}

/** Whether the servers of a workload are kept for all slices of a round. In the other workloads each is measured once, with a new server. */
export function hasSlices({ mode }: Workload): boolean {
  return mode !== 'idle' && mode !== 'start' && mode !== 'abuse';
}

/** Opens a runner with long-lived or with new servers, as the workload requires. */
export function openRunner(workload: Workload, settings: Settings): Runner {
  if (hasSlices(workload)) return persistentRunner(workload, settings);
  const measure = (contender: Contender) => asMeasurement(() => measureFresh(contender, workload, settings));
  return { prepare: async () => undefined, measure, end: async () => undefined };
}

/** A failed server is not used again: it is replaced by a new one, which is warmed up in the same way. */
function persistentRunner(workload: Workload, settings: Settings): Runner {
  const servers = new Map<string, Server>();
  const ready = async (contender: Contender) => {
    const served = serverFor(contender, workload);
    const running = servers.get(served.name);
    if (running) return running;
    const server = await startFor(served, workload, settings);
    servers.set(served.name, server);
    await withServerState(server, () => warmUp(contender, server, workload, settings));
    return server;
  };
  const drop = async (contender: Contender) => {
    const { name } = serverFor(contender, workload);
    await servers.get(name)?.kill();
    servers.delete(name);
  };
  const attempt = async (contender: Contender, act: (server: Server) => Promise<Measurement>) => {
    const measurement = await asMeasurement(async () => {
      const server = await ready(contender);
      return await withServerState(server, () => act(server));
    });
    if (measurement.failure !== undefined) await drop(contender);
    return measurement;
  };
  return {
    async prepare(contender) {
      await attempt(contender, async () => ({}));
    },
    measure: (contender) => attempt(contender, (server) => measureSlice(server, contender, workload, settings)),
    async end() {
      await Promise.all([...servers.values()].map((server) => server.kill()));
    },
  };
}

/** The server of a measurement. If the contenders are load generators, it is the C server for all of them. */
function serverFor(contender: Contender, { mode }: Workload): Contender {
  if (mode !== 'drive') return contender;
  return contenders.find(({ name }) => name === reference) as Contender;
}

async function startFor(contender: Contender, workload: Workload, settings: Settings): Promise<Server> {
  const clients = clientsOf(workload, settings);
  // All on the same disk, and not in memory as /tmp may be.
  const folder = mkdtempSync(join(buildFolder, `data-${workload.name}-`));
  const given = { clients, folder };
  const core = settings.cores?.server;
  const begin = async () => {
    const { engine } = contender;
    if (engine)
      return await startNodes(
        engine,
        (port, bus) => commandFor(contender, workload, { ...given, port, bus }),
        clients,
        core,
      );
    const port = await freePort();
    return await startServer(commandFor(contender, workload, { ...given, port }), port, clients, core);
  };
  const server = await begin().catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  return { ...server, kill: () => server.kill().finally(() => rmSync(folder, { recursive: true, force: true })) };
}

function commandFor(contender: Contender, workload: Workload, given: Omit<Given, 'longestMessage'>): Command {
  const serve = contender.serves[workload.service];
  if (!serve) throw new Error(`${contender.name} has no ${workload.service}`);
  return serve({ ...given, longestMessage: Math.max(65_536, workload.size * 2) });
}

function clientsOf(workload: Workload, settings: Settings): number {
  const { mode, connections } = workload;
  return mode === 'idle' ? settings.idleConnections : connections + backgroundClientsOf(workload, settings);
}

/** The number of background clients of a workload. */
export function backgroundClientsOf(
  { background }: Workload,
  { maxBackgroundClients }: Pick<Settings, 'maxBackgroundClients'>,
): number {
  return background ? Math.min(background.clients, maxBackgroundClients) : 0;
}

/** Turns a {@link Failure} into a measurement without a value. */
async function asMeasurement(act: () => Promise<Measurement>): Promise<Measurement> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { failure: error.message };
  }
}

/** Adds the state of the server to a failure. */
async function withServerState<Result>(server: Server, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    throw server.explain(error);
  }
}

async function measureFresh(contender: Contender, workload: Workload, settings: Settings): Promise<Measurement> {
  if (workload.mode === 'start') return await measureStart(contender, workload, settings);
  if (workload.attack) return await measureAttacked(contender, workload, workload.attack, settings);
  const server = await startFor(contender, workload, settings);
  try {
    return await withServerState(server, () => measureIdle(server, workload, settings));
  } finally {
    await server.kill();
  }
}

/** The attacker is one of ours, like the generator. */
async function measureAttacked(
  contender: Contender,
  workload: Workload,
  attack: Attack,
  settings: Settings,
): Promise<Measurement> {
  const abuse = await measureAbuse(contender, attack, settings, (port, seconds) =>
    runLoad(loadFor(contender, { port }, { ...workload, mode: 'echo' }, settings, seconds), settings),
  );
  const { beside, alone, foreign } = abuse;
  return defined({ value: beside.p99 / alone.p99, p50: beside.p50, p99: beside.p99, alone, foreign, abuse });
}

/** Load generators warm themselves up, and the C server needs no warm-up. */
async function warmUp(contender: Contender, server: Server, workload: Workload, settings: Settings): Promise<void> {
  if (workload.mode === 'drive') return;
  await runLoad(loadFor(contender, server, workload, settings, settings.warmUpSeconds), settings);
  if (workload.mode === 'room') await becomesIdle(server);
}

async function measureSlice(
  server: Server,
  contender: Contender,
  workload: Workload,
  settings: Settings,
): Promise<Measurement> {
  const watch = contender.forks ? undefined : startForeignTimer(processesOf(server));
  const report = await runLoad(loadFor(contender, server, workload, settings, settings.seconds), settings);
  const { perSecond, p50, p99, alone, busy, silent, cpu } = report;
  const foreign = watch?.();
  if (workload.mode === 'room') await becomesIdle(server);
  const value = alone && p50 !== undefined ? p50 / alone.p50 : perSecond;
  // 0: no message has reached all members.
  const latencies = { p50: p50 || undefined, p99: p99 || undefined, alone };
  return defined({ value, ...latencies, busy, silent, ...processorTimes(server, cpu), foreign });
}

/** A server that still works for this long is not waited for. */
const longestWorkMs = 3000;

/** Waits for a server that still delivers what was in flight when its clients left: it would disturb the next one. */
async function becomesIdle(server: Server): Promise<void> {
  const used = () => processesOf(server).reduce((sum, pid) => sum + groupSeconds(pid), 0);
  const deadline = performance.now() + longestWorkMs;
  for (let before = used(); performance.now() < deadline; ) {
    await delay(50);
    const after = used();
    // Less than two hundredths of a second: one may have begun before.
    if (after - before < 0.015) return;
    before = after;
  }
}

/** Of the processes that the generator has watched. */
function processorTimes({ nodes }: Server, cpu: readonly number[] = []) {
  const servers = nodes ? cpu.slice(0, -1) : cpu;
  return {
    servers: servers.length > 0 ? servers.reduce((sum, share) => sum + share) : undefined,
    engine: nodes ? cpu.at(-1) : undefined,
  };
}

/** A generator is a new process each time and is compiled while it runs, so it is measured for this many slices. */
const driveSlices = 4;

/** The load generator's flags for the number of background clients. */
const backgroundFlags = { drip: '-d', 'never-read': '-r' } as const;

/** The load generator's command, or the contender's own if generators are compared. */
function loadFor(
  contender: Contender,
  server: Server | { readonly port: number },
  workload: Workload,
  settings: Settings,
  seconds: number,
): Command {
  const { port } = server;
  const { mode, connections, depth, size } = workload;
  if (mode === 'drive' && contender.drives) {
    return contender.drives({ port, connections, depth, size, seconds: seconds * driveSlices });
  }
  return loadCommand(port, [
    ...loadOptions(workload),
    ...(workload.publishers ? ['-b', `${workload.publishers}`] : []),
    ...(workload.background
      ? [backgroundFlags[workload.background.does], `${backgroundClientsOf(workload, settings)}`]
      : []),
    ...('pid' in server && workload.processorTime ? processesOf(server).flatMap((pid) => ['-P', `${pid}`]) : []),
    ...('pid' in server && server.nodes ? ['-o', `${server.nodes.port}`] : []),
    ...['-t', `${seconds}`, '-w', `${settleSeconds}`],
    ...(contender.protocol ? ['-f', contender.protocol] : []),
  ]);
}

async function measureStart(contender: Contender, workload: Workload, settings: Settings): Promise<Measurement> {
  const port = await freePort();
  const pin = settings.cores ? ['-k', `${settings.cores.server}`] : [];
  // A server whose start is measured stores no data.
  const command = commandFor(contender, workload, { port, clients: clientsOf(workload, settings), folder: '' });
  const options = [...loadOptions(workload), '-n', `${settings.starts}`, ...pin, '--', ...command];
  const watch = startForeignTimer([]);
  const { milliseconds } = await runLoad(loadCommand(port, options), settings);
  return defined({ value: milliseconds, foreign: watch() });
}

/** Resident memory per connected client: the memory after one echo each, minus the memory before, divided by their number. */
async function measureIdle({ pid, port }: Server, workload: Workload, settings: Settings): Promise<Measurement> {
  // One client first, so that one-time costs of the first connection (code, pools) are not counted.
  await (await connectIdle(port, workload, 1, settings)).kill();
  const before = residentBytes(pid);
  const clients = await connectIdle(port, workload, settings.idleConnections, settings);
  const after = residentBytes(pid);
  await clients.kill();
  return { value: (after - before) / settings.idleConnections };
}

/** Resolves when all clients are connected and have received their echo. */
async function connectIdle(port: number, workload: Workload, count: number, settings: Settings): Promise<Child> {
  const options = [...loadOptions(workload), '-c', `${count}`];
  const child = start(pinned(settings.cores?.load, loadCommand(port, options)), { input: 'pipe' });
  const stderr: string[] = [];
  child.process.stderr?.on('data', (text) => stderr.push(String(text)));
  const connected = new Promise((resolve) => child.process.stdout?.once('data', resolve));
  const late = delay(timeoutMs, 'late', { ref: false });
  const what = await Promise.race([connected, child.ended.then(() => 'ended'), late]);
  if (what !== 'ended' && what !== 'late') return child;
  await child.kill();
  throw new Failure(stderr.join('').trim() || `the clients were not connected within ${timeoutMs / 1000} s`);
}

/** The load generator's flags for services that are not lines in plain TCP, sent back as they are. */
const serviceFlags: { readonly [service in Service]?: readonly string[] } = {
  upper: ['-u'],
  'upper-async': ['-u'],
  json: ['-f', 'json'],
  websocket: ['-f', 'websocket'],
  'room-websocket': ['-f', 'websocket'],
  tls: ['-e'],
};

function loadOptions({ mode, connections, depth, size, service }: Workload): string[] {
  return [...['-m', mode, '-c', `${connections}`, '-p', `${depth}`, '-s', `${size}`], ...(serviceFlags[service] ?? [])];
}

async function runLoad(command: Command, settings: Settings): Promise<LoadReport> {
  const seconds = Math.max(settings.seconds, settings.warmUpSeconds);
  return readReport(await runGenerator<LoadReport | BackgroundReport | YodelReport>(command, seconds, settings));
}

function readReport(report: LoadReport | BackgroundReport | YodelReport): LoadReport {
  if ('loaded' in report) return { ...report.loaded, alone: report.alone };
  if (!('kind' in report)) return report;
  const { rate, latency, generator } = report;
  if (!latency) throw new Failure('no reply arrived while measuring');
  return { perSecond: rate.achieved, p50: latency.p50 * 1000, p99: latency.p99 * 1000, busy: generator.cpu };
}

/** Removes undefined fields. */
function defined(measurement: { readonly [name in keyof Measurement]: Measurement[name] | undefined }): Measurement {
  return Object.fromEntries(Object.entries(measurement).filter(([, value]) => value !== undefined));
}
