/**
 * `yodel serve --workers`: this process keeps several that serve. They share the TCP ports; connections to Unix sockets are
 * accepted here and handed to them in turn, and all they write passes through here, so that no two lines mix.
 */
import { type Address, addressAt, TcpAddress, type UnixAddress } from '../../address.ts';
import { systemError } from '../../errors.ts';
import { resolveOptions, type ServerLimits, serverOptions } from '../../options.ts';
import { programArgument } from '../../process/own-program.ts';
import { describeEnd } from '../../process/program-process.ts';
import { checkDescriptors } from '../../server/options.ts';
import { WorkerFailed, type WorkersListener } from '../../server/worker.ts';
import { Workers } from '../../server/workers.ts';
import { acceptToPass } from '../../transport/passed.ts';
import { runtimeTransport } from '../../transport/runtime.ts';
import type { Connection, Listener, ServerTls } from '../../transport/transport.ts';
import { exitStatus } from '../fail.ts';
import { tableValues } from '../flags.ts';
import { readSettings } from './check.ts';
import { watchedFiles } from './handler.ts';
import { logSettingsOf, type Outputs, openOutputs, type Say } from './outputs.ts';
import { type Reread, reloadedSettings, reloadOnChange } from './reload.ts';
import type { ServeSettings, Work } from './settings.ts';
import { obeySignals } from './signals.ts';
import { notifySystemd, passedDescriptors, systemdWasTold } from './systemd.ts';
import { counted, welcome } from './welcome.ts';

/** What a worker needs on top of the times that it was given to end, before it is killed. */
const graceMs = 5000;

/** Serves until a signal ends it, then ends the process. */
export async function serveWithWorkers(count: number, settings: ServeSettings, reread: Reread): Promise<void> {
  const files = watchedFiles(settings);
  const { addresses: wanted, certificates } = await readSettings(settings);
  const descriptors = passedDescriptors();
  checkDescriptors(descriptors, wanted.length);
  const log = logSettingsOf(settings.flags);
  const outputs = openOutputs(log);
  const { say } = outputs;
  let limits = limitsOf(settings);
  const addresses = descriptors ? wanted : await findPorts(wanted, limits.backlog);
  const workOf = (now: ServeSettings, tls: ServerTls | undefined): Work => ({
    serving: { settings: reloadedSettings(settings, now), listen: addresses.map(String), tls, processes: count },
    log,
    measures: settings.flags.metrics !== undefined,
    descriptors: descriptors?.length ?? 0,
  });
  const work = workOf(settings, certificates?.tls);
  const workers = new Workers<Work>({
    count,
    program: programArgument('serve-worker'),
    work,
    descriptors,
    listener: tellOf(outputs),
  });
  let ending = false;
  const isReady = () => !ending && workers.all.some(({ isUp }) => isUp);
  const handing: Listener[] = [];
  try {
    await workers.start();
    for (const address of descriptors ? [] : addresses) {
      if (address.scheme === 'unix') handing.push(await handConnections(address, limits.backlog, workers, say));
    }
    if (settings.flags.metrics !== undefined) await answerFor(workers, settings, isReady, say);
  } catch (error) {
    workers.kill();
    await outputs.close();
    if (!(error instanceof WorkerFailed)) throw error;
    const { status } = error.end;
    // With a status that tells of a failure it has said itself what is wrong.
    if (!status) process.stderr.write(`yodel: ${error.message}\n`);
    process.exit(status || exitStatus.failure);
  }
  for (const address of addresses) outputs.log.listening?.(address);
  welcome(addresses, settings, certificates, say);
  say(`${count} workers: process ${workers.all.map(({ pid }) => pid).join(', ')}`);
  const apply = async (fresh: ServeSettings, tls: ServerTls | undefined) => {
    await workers.reload(workOf(fresh, tls));
    limits = limitsOf(fresh);
  };
  const reloading = reloadOnChange({ settings, addresses: wanted, certificates, files, reread, apply, say });
  const end = async () => {
    ending = true;
    notifySystemd('STOPPING=1', say);
    const { drainDelay, shutdownTimeout } = limits;
    const ends = workers.end(drainDelay + shutdownTimeout + graceMs);
    const stopHanding = () => {
      for (const listener of handing) void listener.close();
    };
    setTimeout(stopHanding, drainDelay).unref();
    const bad = (await ends).filter(({ status }) => status !== 0);
    for (const one of bad) say(`a worker did not end well: ${describeEnd(one)}`);
    signals.done();
    reloading.close();
    await outputs.close();
    await systemdWasTold();
    process.exit(bad.length === 0 ? exitStatus.good : exitStatus.failure);
  };
  const signals = obeySignals({
    end: () => void end(),
    endAtOnce: () => workers.kill(),
    reload: reloading.reload,
    underWay: () => counted(workers.all.filter(({ isUp }) => isUp).length, 'worker'),
    say,
    endLine: () => outputs.writeError(''),
  });
  notifySystemd('READY=1', say);
}

function limitsOf({ flags }: ServeSettings): ServerLimits {
  return resolveOptions(serverOptions, tableValues(serverOptions, flags));
}

/** What workers write goes where this process writes; of a death there is one line. */
function tellOf({ writeLog, writeError, say }: Outputs): WorkersListener {
  return {
    line: (stream, text) => (stream === 'stdout' ? writeLog(text) : writeError(text)),
    died: ({ number }, end, restartInMs) => {
      const how = end.status === 0 ? 'ended' : `died (${describeEnd(end)})`;
      say(`worker ${number} ${how}; another one starts in ${restartInMs} ms`);
    },
    replaced: ({ number, pid }) => say(`worker ${number} serves again, as process ${pid}`),
  };
}

/**
 * The addresses with the ports that they really take. Workers share a port with everybody who says that he shares it: so a
 * moment ago nobody else must have had it.
 *
 * @throws YodelError `YODEL_ADDRESS_IN_USE`, …
 */
async function findPorts(addresses: readonly Address[], backlog: number): Promise<Address[]> {
  const found: Address[] = [];
  const probes: Listener[] = [];
  try {
    for (const address of addresses) {
      if (address.scheme === 'unix') found.push(address);
      else {
        const accept = (connection: Connection) => connection.abort();
        const at = new TcpAddress(address.host, address.port);
        const probe = await runtimeTransport.listen(at, { backlog, accept, failed: () => undefined });
        probes.push(probe);
        found.push(addressAt(address, address.host, (probe.address as TcpAddress).port));
      }
    }
  } finally {
    await Promise.all(probes.map((probe) => probe.close()));
  }
  return found;
}

/** @throws YodelError when it cannot listen */
async function handConnections(
  address: UnixAddress,
  backlog: number,
  workers: Workers<Work>,
  say: Say,
): Promise<Listener> {
  const failed = (error: Error) => say(systemError(`cannot accept a connection on ${address}`, error).message);
  return await acceptToPass(address, { backlog, failed }, (socket) => workers.pass(socket, String(address)));
}

/** @throws UsageError, YodelError when it cannot listen */
async function answerFor(
  workers: Workers<Work>,
  { flags }: ServeSettings,
  isReady: () => boolean,
  say: Say,
): Promise<{ close(): void }> {
  const { answerMetrics, metricsAddress, metricsOfWorkers } = await import('./metrics.ts');
  return await answerMetrics(
    metricsAddress(String(flags.metrics)),
    { metrics: metricsOfWorkers(workers), isReady },
    say,
  );
}
