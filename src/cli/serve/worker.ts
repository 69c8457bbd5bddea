/**
 * A worker of `yodel serve --workers`. It receives commands from its parent over a channel (see `server/worker-messages.ts`),
 * and the parent also reads its output.
 */
import type { Socket } from 'node:net';
import { removeMeshFolder } from '../../bus/folder.ts';
import { Mesh } from '../../bus/mesh.ts';
import { firstInherited } from '../../process/program-process.ts';
import type { Bus } from '../../rooms/bus.ts';
import { beatMs } from '../../server/heartbeats.ts';
import type { WorkerCommand, WorkerReport } from '../../server/worker-messages.ts';
import type { BusEvent } from '../../telemetry/telemetry.ts';
import { PassedTransport } from '../../transport/passed.ts';
import { exitStatus, report, reportUnfinished, statusOf } from '../fail.ts';
import { warnOfDescriptors } from './banner.ts';
import { type LocalServer, startLocalServer, watchdogFor } from './local-server.ts';
import { openOutputs } from './outputs.ts';
import type { Serving, Work } from './settings.ts';

const number = Number(process.argv[2]);
const transport = new PassedTransport();
let local: LocalServer | undefined;
let draining = false;
let meshFolder: string | undefined;
let metrics: { text(): Promise<string> } | undefined;

/** @param sent called when it was sent, or cannot be sent, with the error */
function send(what: WorkerReport, sent: (error: Error | null) => void = () => undefined): void {
  if (process.connected) process.send?.(what, sent);
}

function reportBus(event: BusEvent): void {
  if (event !== 'refused') send({ bus: event });
}

/** Shuts down, once: a second close() would cut short the drain delay of the first. */
function drain(): void {
  if (draining) return;
  draining = true;
  void local?.server.close();
}

/** Shuts down without a drain delay: the parent has waited for it. */
function drainNow(): void {
  drain();
  void local?.server.close();
}

/** Shuts down after the parent is gone. */
function orphaned(): void {
  // A handler file may never finish loading.
  if (!local) process.exit(exitStatus.failure);
  // It cannot remove the folder any more.
  process.on('exit', () => meshFolder !== undefined && removeMeshFolder(meshFolder));
  drain();
}

async function start({ serving, log, collectsMetrics, descriptors, ...work }: Work): Promise<void> {
  meshFolder = work.meshFolder;
  // If a handler file awaits a promise that never settles, this channel must not keep the process alive.
  process.channel?.unref();
  const outputs = openOutputs(log, number);
  const watchdog = await watchdogFor(serving.settings, number);
  watchdog?.start();
  // The parent logs where all workers listen.
  const { listening: _, ...ownLog } = outputs.log;
  const collected = collectsMetrics
    ? (await import('./metrics.ts')).createMetrics(
        () => local?.server,
        () => local?.certificateExpiry,
        number,
      )
    : undefined;
  metrics = collected;
  local = await startLocalServer(serving, {
    outputs: { ...outputs, log: ownLog },
    subscribers: [
      { draining: () => send({ draining: true }), bus: reportBus },
      ...(collected ? [collected.subscriber] : []),
    ],
    worker: number,
    transport,
    watchdog,
    bus: await busOf(serving, meshFolder),
    reusePort: true,
    descriptors: descriptors > 0 ? Array.from({ length: descriptors }, (_, at) => firstInherited + at) : undefined,
  });
  const { maxConnections } = local.server;
  if (number === 1) warnOfDescriptors(maxConnections, serving.settings.flags, serving.processes, outputs.notify);
  process.off('beforeExit', reportUnfinished);
  process.channel?.ref();
  send({ listening: true });
  if (draining) void local.server.close();
  process.exit(await local.ended);
}

/** Each worker is a node of the bus between servers, if there is one. */
async function busOf({ settings, processes }: Serving, folder: string): Promise<Bus> {
  const { flags } = settings;
  if (flags.bus === undefined) return new Mesh({ folder, worker: number, workers: processes });
  const { busWith, readServeBus } = await import('./bus.ts');
  return busWith(await readServeBus(flags));
}

async function handle(command: WorkerCommand<Work>, socket: Socket | undefined): Promise<void> {
  if ('serve' in command) {
    await start(command.serve).catch((error: unknown) => {
      report(error);
      process.exit(statusOf(error));
    });
  } else if ('reload' in command) {
    const refused = await local?.reload(command.reload.serving).then(
      () => undefined,
      (error: Error) => error.message,
    );
    send({ reloaded: command.number, refused });
  } else if ('connectionAt' in command) {
    receive(socket, command.connectionAt, command.number);
  } else if ('metrics' in command) {
    send({ metrics: command.metrics, text: (await metrics?.text()) ?? '' });
  } else drainNow();
}

/**
 * Acknowledges a connection before anything is read from it: until then the parent may pass it to another worker. It does so
 * with those that arrive while this one shuts down.
 */
function receive(socket: Socket | undefined, address: string, number: number): void {
  if (socket && !transport.listensAt(address)) {
    socket.destroy();
    return send({ returned: number });
  }
  send({ received: number }, (error) => {
    if (error) socket?.destroy();
    else if (socket) transport.receive(socket, address);
  });
}

setInterval(() => send({ alive: true }), beatMs).unref();
process.on('beforeExit', reportUnfinished);
// A terminal sends these to all of its processes; the parent decides what to do.
process.on('SIGINT', () => undefined).on('SIGHUP', () => undefined);
// Sent to this process alone: it drains, and its parent starts another one.
process.on('SIGTERM', drain).on('disconnect', orphaned);
process.on('message', (command, socket) => void handle(command as WorkerCommand<Work>, socket as Socket | undefined));
