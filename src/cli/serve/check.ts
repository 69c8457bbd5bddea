/** Checks the settings of `yodel serve` without listening. */
import type { Address } from '../../address.ts';
import type { BusSettings } from '../../bus/open.ts';
import { originProblem } from '../../server/origins.ts';
import { AddressList } from '../../transport/address-list.ts';
import type { ServerTls } from '../../transport/transport.ts';
import { busFlagNames } from '../bus-flags.ts';
import { UsageError } from '../fail.ts';
import { namesFiles, readWire } from '../wire.ts';
import { listenOf } from './banner.ts';
import { readMockFlags } from './handler/mock-flags.ts';
import type { ServeSettings } from './settings.ts';
import { type Certificates, readServerTls } from './tls/tls.ts';

/** Settings that were read and checked. */
export interface CheckedSettings {
  readonly addresses: readonly Address[];
  readonly certificates: Certificates | undefined;
  readonly bus: BusSettings | undefined;
}

/** Reads the files that the settings name, and checks all settings but the handler. @throws as {@link checkSettings} */
export async function readSettings(settings: ServeSettings): Promise<CheckedSettings> {
  const addresses = listenOf(settings);
  const certificates = await readServerTls(settings.flags, addresses, {
    isTranscript: settings.handler.endsWith('.transcript'),
  });
  const { bus } = await checkSettings(settings, addresses, certificates?.tls);
  return { addresses, certificates, bus };
}

/**
 * Checks addresses, networks, origins, framing, the bus, the address for metrics, and certificates. The handler is not loaded,
 * because that would run it.
 *
 * @throws UsageError, YodelError for the first invalid setting
 */
export async function checkSettings(
  { handler, flags }: ServeSettings,
  addresses: readonly Address[],
  tls: ServerTls | undefined,
): Promise<Pick<CheckedSettings, 'bus'>> {
  // Files are loaded with the handler, because that runs their code.
  if (!namesFiles(flags)) await readWire(flags);
  for (const name of ['allow', 'deny', 'proxyProtocol'] as const) {
    new AddressList(name, (flags[name] as readonly string[] | undefined) ?? []);
  }
  checkOrigins((flags.origin as readonly string[] | undefined) ?? [], addresses);
  checkJournal(flags);
  const bus = await busOf(flags);
  readMockFlags(handler, flags);
  if (flags.control !== undefined) {
    (await import('./control/control.ts')).controlAddress(String(flags.control));
    if (Number(flags.workers) > 1) {
      throw new UsageError(
        '--control has the faults of one process and cannot be combined with --workers; omit one of them',
      );
    }
  }
  if (flags.metrics !== undefined) (await import('./metrics.ts')).metricsAddress(String(flags.metrics));
  if (tls) new (await import('../../transport/tls/acceptor.ts')).TlsAcceptor(tls);
  return { bus };
}

/** Checks that origins can match. */
function checkOrigins(origins: readonly string[], addresses: readonly Address[]): void {
  const problem = origins.map(originProblem).find((one) => one !== undefined);
  if (problem !== undefined) throw new UsageError(problem);
  const speaksWeb = addresses.some(({ scheme }) => scheme === 'ws' || scheme === 'wss');
  if (origins.length > 0 && !speaksWeb) {
    throw new UsageError('--origin needs a ws:// or wss:// address: --listen ws://…');
  }
}

/** The client libraries are loaded only with a bus. */
async function busOf(flags: ServeSettings['flags']): Promise<BusSettings | undefined> {
  if (flags.bus !== undefined) return await (await import('./bus.ts')).readServeBus(flags);
  for (const [name, flag] of Object.entries({ ...busFlagNames, busRequired: '--bus-required' })) {
    if (flags[name] !== undefined) throw new UsageError(`${flag} needs --bus URL`);
  }
  return undefined;
}

/** A journal has one order, which several processes could keep only by synchronizing on each message. */
function checkJournal(flags: ServeSettings['flags']): void {
  if (flags.journal !== undefined && Number(flags.workers) > 1) {
    throw new UsageError('--journal has a single writer and cannot be combined with --workers; omit one of them');
  }
  if (flags.journal === undefined && flags.journalReplies === true) {
    throw new UsageError('--journal-replies needs --journal FILE');
  }
}
