/** Runs `yodel serve`: one server in this process, or workers that share the work. */
import { parseAddress } from '../../address.ts';
import type { Faults } from '../../handlers/faults/fault-set.ts';
import type { Journal } from '../../journal/journal.ts';
import type { Server } from '../../server/server.ts';
import type { Subscriber } from '../../telemetry/telemetry.ts';
import { reserveDescriptors } from '../../transport/descriptors.ts';
import type { ServerTls } from '../../transport/transport.ts';
import { counted, printBanner, warnOfDescriptors } from './banner.ts';
import { readSettings } from './check.ts';
import { watchedFiles } from './handler/handler.ts';
import { isProxy, passesBytes } from './handler/transparent.ts';
import { type LocalServer, startLocalServer, watchdogFor } from './local-server.ts';
import { logSettingsOf, type Notify, openOutputs } from './outputs.ts';
import { type ReadSettings, type Reloader, reloadOnChange } from './reload.ts';
import type { ServeSettings, Serving } from './settings.ts';
import { handleSignals } from './signals.ts';
import { notifySystemd, passedDescriptors, systemdNotified } from './systemd.ts';

/** Serves until a signal, then exits the process. */
export async function runServe(settings: ServeSettings, readAgain: ReadSettings): Promise<void> {
  const workers = Number(settings.flags.workers);
  if (workers > 1) return await (await import('./workers.ts')).serveWithWorkers(workers, settings, readAgain);
  await serveAlone(settings, readAgain);
}

/** Leaves descriptors for the clients of metrics and control. */
async function reserveForHttp({ flags }: ServeSettings): Promise<void> {
  const servers = [flags.metrics, flags.control].filter((address) => address !== undefined).length;
  if (servers === 0) return;
  const { connectionLimit } = await import('../../metrics/http-server.ts');
  reserveDescriptors(servers * (1 + connectionLimit()));
}

async function serveAlone(settings: ServeSettings, readAgain: ReadSettings): Promise<void> {
  const { flags } = settings;
  const files = watchedFiles(settings);
  const { addresses, certificates, bus: busSettings } = await readSettings(settings);
  const outputs = openOutputs(logSettingsOf(settings));
  const { notify } = outputs;
  const metrics = await openMetrics(settings, () => local, notify);
  await reserveForHttp(settings);
  const journal =
    flags.journal === undefined
      ? undefined
      : await (await import('./journal.ts')).journalFor(settings, addresses, notify);
  const bus = busSettings && (await import('./bus.ts')).busWith(busSettings);
  const watchdog = await watchdogFor(settings);
  const serving: Serving = { settings, listen: addresses.map(String), tls: certificates?.tls, processes: 1 };
  const local: LocalServer = await startLocalServer(serving, {
    outputs,
    subscribers: metrics ? [metrics.subscriber] : [],
    descriptors: passedDescriptors(),
    journal,
    watchdog,
    bus,
  }).catch(async (error: unknown) => {
    await journal?.close();
    throw error;
  });
  const { server } = local;
  const metricsServer = await metrics
    ?.listen(() => isReady(server, journal) && !(flags.busRequired === true && bus?.state === 'away'))
    .catch(async (error: unknown) => {
      await server.close({ timeoutMs: 0 });
      throw error;
    });
  const controlServer = await openControl(settings, local, notify).catch(async (error: unknown) => {
    metricsServer?.close();
    await server.close({ timeoutMs: 0 });
    throw error;
  });
  const reloader = Promise.withResolvers<Reloader>();
  // Before the first line, because a program that reads that the server listens may send it a signal.
  const signals = handleSignals({
    drain: () => {
      notifySystemd('STOPPING=1', notify);
      void server.close();
    },
    reload: () => void reloader.promise.then(({ reload }) => reload()),
    inFlight: () => counted(server.sessions.size, 'connection'),
    notify,
    endLine: () => outputs.writeError(''),
  });
  printBanner(server.addresses, settings, certificates, notify);
  if (busSettings) (await import('./bus.ts')).warnOfBus(busSettings, notify);
  warnOfDescriptors(server.maxConnections, flags, 1, notify);
  const apply = (fresh: ServeSettings, tls: ServerTls | undefined) =>
    local.reload({ ...serving, settings: fresh, tls });
  const reloading = await reloadOnChange({ settings, addresses, certificates, files, readAgain, apply, notify });
  reloader.resolve(reloading);
  notifySystemd('READY=1', notify);
  outputs.flushErrors();
  watchdog?.start();
  await server.closed;
  for (const closing of [signals, reloading, metricsServer, controlServer]) closing?.close();
  await systemdNotified();
  // The handler may have left timers or sockets open.
  process.exit(await local.ended);
}

function isReady(server: Server, journal: Journal | undefined): boolean {
  return !server.closing && !journal?.isRefusing;
}

/** Starts the control API, if the flags say so. @throws UsageError, YodelError if it cannot listen */
async function openControl(
  settings: ServeSettings,
  local: LocalServer,
  notify: Notify,
): Promise<{ close(): void } | undefined> {
  const { handler, flags } = settings;
  if (flags.control === undefined) return undefined;
  const { serveControl, controlAddress } = await import('./control/control.ts');
  const controlled = {
    faults: () => local.faults.current as Faults,
    sessions: () => local.server.sessions,
    upstream: isProxy(settings) ? String(parseAddress(handler.slice('proxy:'.length))) : undefined,
    passesBytes: passesBytes(settings),
  };
  return await serveControl(controlAddress(String(flags.control)), controlled, notify);
}

/** The metrics of one server. */
interface Metrics {
  readonly subscriber: Subscriber;
  /** Starts the metrics server. @throws YodelError if it cannot listen */
  listen(isReady: () => boolean): Promise<{ close(): void }>;
}

/** @throws UsageError if the address is not a TCP address */
async function openMetrics(
  { flags }: ServeSettings,
  local: () => LocalServer,
  notify: Notify,
): Promise<Metrics | undefined> {
  if (flags.metrics === undefined) return undefined;
  const { serveMetrics, createMetrics, metricsAddress, metricsHosts } = await import('./metrics.ts');
  const address = metricsAddress(String(flags.metrics));
  const metrics = createMetrics(
    () => local().server,
    () => local().certificateExpiry,
  );
  return {
    subscriber: metrics.subscriber,
    listen: async (ready) =>
      await serveMetrics(address, { metrics, isReady: ready, hosts: metricsHosts(flags) }, notify),
  };
}
