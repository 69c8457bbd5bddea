/** Looks at the settings of `yodel serve` as if it were to serve, without listening. */
import type { Address } from '../../address.ts';
import { resolveWire } from '../../session/wire.ts';
import { AddressList } from '../../transport/address-list.ts';
import type { ServerTls } from '../../transport/transport.ts';
import { UsageError } from '../fail.ts';
import type { ServeSettings } from './settings.ts';
import { type Certificates, readServerTls } from './tls.ts';
import { listenOf } from './welcome.ts';

/** Where to listen, and what to show there. */
export interface CheckedSettings {
  readonly addresses: readonly Address[];
  readonly certificates: Certificates | undefined;
}

/** Reads what settings name, and checks all of them, the handler left out. @throws as {@link checkSettings} */
export async function readSettings(settings: ServeSettings): Promise<CheckedSettings> {
  const addresses = listenOf(settings);
  const certificates = await readServerTls(settings.flags, addresses);
  await checkSettings(settings, addresses, certificates?.tls);
  return { addresses, certificates };
}

/**
 * Checks what can be wrong with settings that could be read each on its own: addresses, networks, origins, framing, where
 * metrics are answered, and whether the certificates can be used. The handler is not loaded: that would run it.
 *
 * @throws UsageError, YodelError for the first that is wrong
 */
export async function checkSettings(
  { flags }: ServeSettings,
  addresses: readonly Address[],
  tls: ServerTls | undefined,
): Promise<void> {
  resolveWire({
    framing: flags.framing as string | undefined,
    encoding: flags.encoding as 'utf8' | 'binary' | undefined,
  });
  for (const name of ['allow', 'deny', 'proxyProtocol'] as const) {
    new AddressList(name, (flags[name] as readonly string[] | undefined) ?? []);
  }
  checkOrigins((flags.origin as readonly string[] | undefined) ?? [], addresses);
  checkJournal(flags);
  if (flags.metrics !== undefined) (await import('./metrics.ts')).metricsAddress(String(flags.metrics));
  if (tls) new (await import('../../transport/tls/acceptor.ts')).TlsAcceptor(tls);
}

/** One that could never be met would look like protection. */
function checkOrigins(origins: readonly string[], addresses: readonly Address[]): void {
  const wrong = origins.find((origin) => origin !== '*' && !/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/i.test(origin));
  if (wrong !== undefined) {
    throw new UsageError(`"${wrong}" is no origin of web pages; write a scheme and a host: https://app.example.org`);
  }
  const speaksWeb = addresses.some(({ scheme }) => scheme === 'ws' || scheme === 'wss');
  if (origins.length > 0 && !speaksWeb) {
    throw new UsageError('--origin is for ws:// and wss:// addresses, and none is given: --listen ws://…');
  }
}

/** One journal has one order, which several processes could only keep by asking one another for each message. */
function checkJournal(flags: ServeSettings['flags']): void {
  if (flags.journal !== undefined && Number(flags.workers) > 1) {
    throw new UsageError('--journal has one writer, so it does not go with --workers; leave one of them out');
  }
  if (flags.journal === undefined && flags.journalReplies === true) {
    throw new UsageError('--journal-replies needs --journal FILE');
  }
}
