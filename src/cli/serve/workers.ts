/**
 * `yodel serve --workers`: this process supervises several worker processes. They share the TCP ports. Connections to Unix sockets
 * are accepted here and passed to them in turn. Their output passes through this process, so that lines do not mix.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address, UnixAddress } from '../../address.ts';
import { makeMeshFolder, removeMeshFolder } from '../../bus/folder.ts';
import { systemError, YodelError } from '../../errors.ts';
import { resolveOptions } from '../../option-values.ts';
import { processOptions, type ServerLimits, serverOptions } from '../../options.ts';
import { programArgument } from '../../process/own-program.ts';
import { describeEnd, type ProcessEnd } from '../../process/program-process.ts';
import { capacityFor, descriptorsNow } from '../../server/capacity.ts';
import { checkDescriptors } from '../../server/options.ts';
import { WorkerFailed, type WorkersListener } from '../../server/worker.ts';
import { Workers } from '../../server/workers.ts';
import { acceptToPass } from '../../transport/passed.ts';
import type { Listener, ServerTls } from '../../transport/transport.ts';
import { exitStatus } from '../fail.ts';
import { tableValues } from '../flags.ts';
import { counted, printBanner } from './banner.ts';
import { readSettings } from './check.ts';
import { watchedFiles } from './handler/handler.ts';
import { logSettingsOf, type Notify, type Outputs, openOutputs } from './outputs.ts';
import { findPorts } from './ports.ts';
import { type ReadSettings, type Reloader, reloadedSettings, reloadOnChange } from './reload.ts';
import type { ServeSettings, Work } from './settings.ts';
import { handleSignals } from './signals.ts';
import { notifySystemd, passedDescriptors, systemdNotified } from './systemd.ts';

/** How long a worker may take to load a handler file, besides the time for its `start`. */
const loadMs = 30_000;
/** How long a worker may exceed its own shutdown time before it is killed. */
const graceMs = 5000;

/** Serves until a signal, then exits the process. */
export async function serveWithWorkers(count: number, settings: ServeSettings, readAgain: ReadSettings): Promise<void> {
  const files = watchedFiles(settings);
  const { addresses: configured, certificates, bus } = await readSettings(settings);
  const descriptors = passedDescriptors();
  checkDescriptors(descriptors, configured.length);
  const log = logSettingsOf(settings);
  const outputs = openOutputs(log);
  const { notify } = outputs;
  let limits = limitsOf(settings);
  const addresses = descriptors ? configured : await findPorts(configured, limits.backlog);
  const meshFolder = makeMeshFolder();
  process.on('exit', () => removeMeshFolder(meshFolder));
  const workOf = (now: ServeSettings, tls: ServerTls | undefined): Work => ({
    serving: { settings: reloadedSettings(settings, now), listen: addresses.map(String), tls, processes: count },
    log,
    collectsMetrics: settings.flags.metrics !== undefined,
    meshFolder,
    descriptors: descriptors?.length ?? 0,
  });
  const workers = new Workers<Work>({
    count,
    program: programArgument('serve-worker'),
    work: workOf(settings, certificates?.tls),
    descriptors,
    listener: listenerFor(outputs),
    workerTimeout: resolveOptions(processOptions, tableValues(processOptions, settings.flags)).workerTimeout,
    reloadTimeout: limits.startTimeout > 0 ? loadMs + limits.startTimeout : 0,
  });
  let draining = false;
  // New connections may go to a worker that hangs. None goes to one that is down.
  const needsBus = settings.flags.busRequired === true;
  const isReady = () =>
    !draining &&
    workers.all.some(({ isUp }) => isUp) &&
    !workers.all.some(({ hangs, isCutOff }) => hangs || (needsBus && isCutOff));
  const forwarding = await startWorkers(workers, descriptors ? [] : addresses, { settings, isReady, outputs });
  for (const address of addresses) outputs.log.listening?.(address);
  const reloader = Promise.withResolvers<Reloader>();
  const drain = async () => {
    draining = true;
    notifySystemd('STOPPING=1', notify);
    const failed = await drainWorkers(workers, forwarding, limits);
    for (const end of failed) notify(`a worker failed: ${describeEnd(end)}`);
    signals.close();
    void reloader.promise.then(({ close }) => close());
    await outputs.close();
    await systemdNotified();
    process.exit(failed.length === 0 ? exitStatus.good : exitStatus.failure);
  };
  // Before the first line, because a program that reads that the server listens may send it a signal.
  const signals = handleSignals({
    drain: () => void drain(),
    exitAtOnce: () => workers.kill(),
    reload: () => void reloader.promise.then(({ reload }) => reload()),
    inFlight: () => counted(workers.all.filter(({ isUp }) => isUp).length, 'worker'),
    notify,
    endLine: () => outputs.writeError(''),
  });
  printBanner(addresses, settings, certificates, notify);
  if (bus) (await import('./bus.ts')).warnOfBus(bus, notify);
  notify(`${count} workers: process ${workers.all.map(({ pid }) => pid).join(', ')}`);
  const apply = async (fresh: ServeSettings, tls: ServerTls | undefined) => {
    await workers.reload(workOf(fresh, tls));
    limits = limitsOf(fresh);
  };
  const reloading = await reloadOnChange({
    settings,
    addresses: configured,
    certificates,
    files,
    readAgain,
    apply,
    notify,
  });
  reloader.resolve(reloading);
  notifySystemd('READY=1', notify);
  outputs.flushErrors();
}

function limitsOf({ flags }: ServeSettings): ServerLimits {
  return resolveOptions(serverOptions, tableValues(serverOptions, flags));
}

/** Passes on what workers write, and reports each worker that ended. */
function listenerFor({ writeLog, writeError, notify }: Outputs): WorkersListener {
  return {
    line: (stream, text) => (stream === 'stdout' ? writeLog(text) : writeError(text)),
    died: ({ number }, end, restartInMs) => {
      const how = end.status === 0 ? 'ended' : `died (${describeEnd(end)})`;
      notify(`worker ${number} ${how}; it restarts in ${restartInMs} ms`);
    },
    replaced: ({ number, pid }) => notify(`worker ${number} restarted as process ${pid}`),
    hangs: ({ number, pid }, silentMs) =>
      notify(`worker ${number} (process ${pid}) hangs: it has not responded for ${silentMs / 1000} s`),
    responds: ({ number }, silentMs) => notify(`worker ${number} responds again, after ${silentMs / 1000} s`),
    givenUp: ({ number }, silentMs) =>
      notify(`worker ${number} has not responded for ${silentMs / 1000} s (--worker-timeout): it is killed`),
  };
}

/**
 * Starts the workers, the listeners whose connections this process passes on, and the metrics. If one of them fails, exits
 * the process or throws.
 *
 * @throws YodelError if it cannot listen
 */
async function startWorkers(
  workers: Workers<Work>,
  addresses: readonly Address[],
  context: { readonly settings: ServeSettings; readonly isReady: () => boolean; readonly outputs: Outputs },
): Promise<Listener[]> {
  const { settings, isReady, outputs } = context;
  const forwarding: Listener[] = [];
  try {
    await workers.start();
    for (const address of addresses) {
      if (address.scheme === 'unix') forwarding.push(await passConnections(address, workers, settings, outputs));
    }
    if (settings.flags.metrics !== undefined) await serveWorkerMetrics(workers, settings, isReady, outputs.notify);
  } catch (error) {
    workers.kill();
    await outputs.close();
    if (!(error instanceof WorkerFailed)) throw error;
    const { status } = error.end;
    // A worker that exits with a non-zero status has already reported why.
    if (!status) process.stderr.write(`yodel: ${error.message}\n`);
    process.exit(status || exitStatus.failure);
  }
  return forwarding;
}

/** Drains all workers, and returns the ends of those that failed. */
async function drainWorkers(
  workers: Workers<Work>,
  forwarding: readonly Listener[],
  { drainDelay, shutdownTimeout }: ServerLimits,
): Promise<ProcessEnd[]> {
  // Not left to the workers: the connections that are accepted here must reach them while they accept.
  await sleep(drainDelay);
  const withinMs = Math.max(graceMs, shutdownTimeout / 4);
  const signal = AbortSignal.timeout(withinMs);
  await Promise.all(forwarding.map((listener) => listener.close(signal)));
  await workers.passed(withinMs);
  const ends = await workers.end(shutdownTimeout + graceMs);
  return ends.filter(({ status }) => status !== 0);
}

/** Accepts connections here and passes them to the workers. @throws YodelError if it cannot listen */
async function passConnections(
  address: UnixAddress,
  workers: Workers<Work>,
  settings: ServeSettings,
  { notifyOf, log }: Outputs,
): Promise<Listener> {
  const failed = (error: Error) =>
    notifyOf('refused', undefined, () => systemError(`cannot accept a connection on ${address}`, error).message);
  const { backlog, maxConnections } = limitsOf(settings);
  // Those that wait for a worker, which costs this process a descriptor each.
  const capacity = capacityFor(maxConnections, descriptorsNow()).connections;
  return await acceptToPass(address, { backlog, failed }, (socket) => {
    if (workers.passing < capacity) return workers.pass(socket, String(address));
    socket.destroy();
    const text = `too many connections wait for a worker; the limit is ${capacity}`;
    log.refused?.(address, new YodelError('YODEL_TOO_MANY_CONNECTIONS', text));
  });
}

/** Answers requests for metrics with the sum of all workers. @throws UsageError, YodelError if it cannot listen */
async function serveWorkerMetrics(
  workers: Workers<Work>,
  { flags }: ServeSettings,
  isReady: () => boolean,
  notify: Notify,
): Promise<{ close(): void }> {
  const { serveMetrics, metricsAddress, metricsHosts, metricsOfWorkers } = await import('./metrics.ts');
  const metrics = metricsOfWorkers(workers);
  const health = { metrics, isReady, hosts: metricsHosts(flags) };
  return await serveMetrics(metricsAddress(String(flags.metrics)), health, notify);
}
