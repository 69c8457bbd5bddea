/**
 * One of the processes of `yodel serve --workers`. Its parent says what to do over the channel between them (see
 * `server/worker-messages.ts`); what it writes goes to its parent as well.
 */
import type { Socket } from 'node:net';
import { firstInherited } from '../../process/program-process.ts';
import type { WorkerCommand, WorkerReport } from '../../server/worker-messages.ts';
import { PassedTransport } from '../../transport/passed.ts';
import { exitStatus, neverDone, report, statusOf } from '../fail.ts';
import { type Here, serveHere } from './here.ts';
import { openOutputs } from './outputs.ts';
import type { Work } from './settings.ts';
import { warnOfDescriptors } from './welcome.ts';

const number = Number(process.argv[2]);
const transport = new PassedTransport();
let here: Here | undefined;
let isEnding = false;
let metrics: { text(): Promise<string> } | undefined;

function tell(what: WorkerReport): void {
  if (process.connected) process.send?.(what, () => undefined);
}

/** Once: a second close() would cut the delay of the first short. */
function end(): void {
  if (isEnding) return;
  isEnding = true;
  void here?.server.close();
}

/** Without a parent there is nobody to serve for. */
function orphaned(): void {
  // A handler file that is still being loaded may never be.
  if (!here) process.exit(exitStatus.failure);
  end();
}

async function begin({ serving, log, measures, descriptors }: Work): Promise<void> {
  // A handler file that waits for what never comes leaves nothing to run but this channel: then it is not waited for.
  process.channel?.unref();
  const outputs = openOutputs(log, number);
  // Where all of them listen, their parent says.
  const { listening: _, ...ownLog } = outputs.log;
  const measured = measures ? (await import('./metrics.ts')).createMetrics(() => here?.server, number) : undefined;
  metrics = measured;
  here = await serveHere(serving, {
    outputs: { ...outputs, log: ownLog },
    subscribers: [{ draining: () => tell({ draining: true }) }, ...(measured ? [measured.subscriber] : [])],
    worker: number,
    transport,
    reusePort: true,
    descriptors: descriptors > 0 ? Array.from({ length: descriptors }, (_, at) => firstInherited + at) : undefined,
  });
  const { maxConnections } = here.server;
  if (number === 1) warnOfDescriptors(maxConnections, serving.settings.flags, serving.processes, outputs.say);
  process.off('beforeExit', neverDone);
  process.channel?.ref();
  tell({ listening: true });
  if (isEnding) void here.server.close();
  process.exit(await here.ended);
}

async function obey(order: WorkerCommand<Work>, socket: Socket | undefined): Promise<void> {
  if ('serve' in order) {
    await begin(order.serve).catch((error: unknown) => {
      report(error);
      process.exit(statusOf(error));
    });
  } else if ('reload' in order) {
    const refused = await here?.reload(order.reload.serving).then(
      () => undefined,
      (error: Error) => error.message,
    );
    tell({ reloaded: order.number, refused });
  } else if ('connectionAt' in order) {
    if (socket) transport.receive(socket, order.connectionAt);
    tell({ received: order.number });
  } else if ('metrics' in order) {
    tell({ metrics: order.metrics, text: (await metrics?.text()) ?? '' });
  } else end();
}

process.on('beforeExit', neverDone);
// In a terminal these go to all its processes: the parent says what is to be done.
process.on('SIGINT', () => undefined).on('SIGHUP', () => undefined);
// Meant for this one alone: its parent starts another one.
process.on('SIGTERM', end).on('disconnect', orphaned);
process.on('message', (order, socket) => void obey(order as WorkerCommand<Work>, socket as Socket | undefined));
