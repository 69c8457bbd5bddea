/** Runs `yodel serve`: a server in this process, or several that share the work, until a signal ends it. */
import type { Server } from '../../server/server.ts';
import type { ServerTls } from '../../transport/transport.ts';
import { readSettings } from './check.ts';
import { watchedFiles } from './handler.ts';
import { type Here, serveHere } from './here.ts';
import { logSettingsOf, openOutputs } from './outputs.ts';
import { type Reread, reloadOnChange } from './reload.ts';
import type { ServeSettings, Serving } from './settings.ts';
import { obeySignals } from './signals.ts';
import { notifySystemd, passedDescriptors, systemdWasTold } from './systemd.ts';
import { counted, warnOfDescriptors, welcome } from './welcome.ts';

/** Serves until a signal ends it, then ends the process. */
export async function runServe(settings: ServeSettings, reread: Reread): Promise<void> {
  const workers = Number(settings.flags.workers);
  if (workers > 1) return await (await import('./workers.ts')).serveWithWorkers(workers, settings, reread);
  await serveAlone(settings, reread);
}

async function serveAlone(settings: ServeSettings, reread: Reread): Promise<void> {
  const { flags } = settings;
  const files = watchedFiles(settings);
  const { addresses, certificates } = await readSettings(settings);
  const metrics = flags.metrics === undefined ? undefined : await import('./metrics.ts');
  const metricsAt = metrics?.metricsAddress(String(flags.metrics));
  const outputs = openOutputs(logSettingsOf(flags));
  const { say } = outputs;
  const measured = metrics?.createMetrics((): Server => here.server);
  const journal =
    flags.journal === undefined ? undefined : await (await import('./journal.ts')).journalFor(settings, addresses, say);
  const serving: Serving = { settings, listen: addresses.map(String), tls: certificates?.tls, processes: 1 };
  const here: Here = await serveHere(serving, {
    outputs,
    subscribers: measured ? [measured.subscriber] : [],
    descriptors: passedDescriptors(),
    journal,
  }).catch(async (error: unknown) => {
    await journal?.close();
    throw error;
  });
  const { server } = here;
  const health =
    metrics && metricsAt && measured
      ? await metrics
          .answerMetrics(metricsAt, { metrics: measured, isReady: () => !server.closing && !journal?.isRefusing }, say)
          .catch(async (error: unknown) => {
            await server.close({ timeoutMs: 0 });
            throw error;
          })
      : undefined;
  welcome(server.addresses, settings, certificates, say);
  warnOfDescriptors(server.maxConnections, flags, 1, say);
  const apply = (fresh: ServeSettings, tls: ServerTls | undefined) => here.reload({ ...serving, settings: fresh, tls });
  const reloading = reloadOnChange({ settings, addresses, certificates, files, reread, apply, say });
  const signals = obeySignals({
    end: () => {
      notifySystemd('STOPPING=1', say);
      void server.close();
    },
    reload: reloading.reload,
    underWay: () => counted(server.sessions.size, 'connection'),
    say,
    endLine: () => outputs.writeError(''),
  });
  notifySystemd('READY=1', say);
  await server.closed;
  signals.done();
  reloading.close();
  health?.close();
  await systemdWasTold();
  // A handler may have left timers or sockets of its own behind.
  process.exit(await here.ended);
}
