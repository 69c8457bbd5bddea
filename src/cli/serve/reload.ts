/** The reload of `yodel serve`: on SIGHUP, and when certificates or a handler file change. */
import type { Address } from '../../address.ts';
import { realClock } from '../../clock.ts';
import { serveLimits } from '../../options.ts';
import type { ServerTls } from '../../transport/transport.ts';
import { escapedText } from '../fail.ts';
import { flagKey } from '../flags.ts';
import { checkSettings } from './check.ts';
import { handlerFlags } from './handler/flags.ts';
import type { Notify } from './outputs.ts';
import type { ServeSettings } from './settings.ts';
import { notifySystemd } from './systemd.ts';
import type { ExpiryWatch } from './tls/expiry.ts';
import { type Certificates, readServerTls } from './tls/tls.ts';
import type { FileWatch } from './watch-files.ts';

/** Reads the current settings. */
export type ReadSettings = () => Promise<ServeSettings>;

/** What a reload needs. */
export interface Reloading {
  /** The settings at the start. */
  readonly settings: ServeSettings;
  readonly addresses: readonly Address[];
  readonly certificates: Certificates | undefined;
  /** Further files whose changes cause a reload. */
  readonly files: readonly string[];
  readonly readAgain: ReadSettings;
  /** Applies new settings. @throws Error if it cannot; the old settings then remain in effect */
  apply(settings: ServeSettings, tls: ServerTls | undefined): Promise<void>;
  readonly notify: Notify;
}

/** The time-out for applying settings: a handler file that never finishes loading must not block later reloads. */
const applyTimeoutMs = 60_000;

/** Reloads the settings. */
export interface Reloader {
  reload(): void;
  /** Watches no file any more. */
  close(): void;
}

/** Reloads on request, and when a file changes. Invalid settings are reported, and the old ones remain in effect. */
export async function reloadOnChange(reloading: Reloading): Promise<Reloader> {
  const { settings: initial, addresses, certificates, files, readAgain, apply, notify } = reloading;
  const reload = async () => {
    notifySystemd('RELOADING=1', notify);
    try {
      const settings = await readAgain();
      const isSelfSigned = certificates?.fingerprint !== undefined;
      const read = certificates && !isSelfSigned ? await readServerTls(settings.flags, addresses) : certificates;
      const tls = read && { ...read.tls, ...keptOf(certificates?.tls) };
      await checkSettings(settings, addresses, tls);
      await withTimeout(applyTimeoutMs, apply(settings, tls));
      const deferred = needRestart(initial, settings);
      const rest = deferred.length > 0 ? `; these changes need a restart: ${deferred.join(', ')}` : '';
      notify(`reloaded: new sessions use the new settings${rest}`);
      watched?.follow([...(read?.files ?? []), ...files]);
      expiry?.watch(tls);
    } catch (error) {
      notify(`not reloaded, the old settings remain in effect: ${escapedText(error as Error)}`);
    }
    notifySystemd('READY=1', notify);
  };
  // One after another: the last request wins.
  let last = Promise.resolve();
  const requestReload = () => {
    last = last.then(reload);
  };
  const expiry = await watchExpiry(certificates, notify);
  const watched = await watchFiles([...(certificates?.files ?? []), ...files], requestReload);
  const close = () => {
    watched?.close();
    expiry?.close();
  };
  return { reload: requestReload, close };
}

// Both are loaded only where they are needed: they would delay the start of every server.

async function watchFiles(files: readonly string[], changed: () => void): Promise<FileWatch | undefined> {
  if (files.length === 0) return undefined;
  const { FileWatch } = await import('./watch-files.ts');
  // They were read since the process started, and may have been replaced before they were watched.
  return new FileWatch(files, changed, { since: performance.timeOrigin });
}

async function watchExpiry(certificates: Certificates | undefined, notify: Notify): Promise<ExpiryWatch | undefined> {
  if (!certificates) return undefined;
  const expiry = new (await import('./tls/expiry.ts')).ExpiryWatch(notify);
  expiry.watch(certificates.tls);
  return expiry;
}

/** The TLS settings that a reload keeps: the protocols, and whether clients need a certificate. */
function keptOf(tls: ServerTls | undefined): Partial<ServerTls> {
  const isRequired = tls?.clientCa !== undefined;
  return { alpn: tls?.alpn, ...(isRequired ? {} : { clientCa: undefined }) };
}

async function withTimeout(ms: number, work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = realClock.deadline(ms, () => late.reject(new Error(`it took longer than ${ms / 1000} s`)));
  await Promise.race([work, late.promise]).finally(() => timer.cancel());
}

/** Limits that a reload does not apply. */
const fixedLimits: ReadonlySet<string> = new Set(['backlog', 'handshakeTimeout', 'keepAlive', 'pingInterval']);

/** The flags that a reload applies: limits, access control, the handler, and the content of certificates. */
const reloadable: ReadonlySet<string> = new Set([
  ...Object.entries(serveLimits).flatMap(([name, spec]) => (fixedLimits.has(name) ? [] : [flagKey(name, spec)])),
  ...['allow', 'deny', 'handler', 'lenient', 'var', 'config', 'cert', 'key', 'sni', 'sslCert', 'sslKey'],
  ...handlerFlags.filter((name) => name !== 'control'),
]);

/** Whether a reload applies a setting; for client authorities only the content of the file. */
export function isReloadable(name: string): boolean {
  return reloadable.has(name) || caFlags.has(name);
}

/** Flags for which a reload applies the content of the file, but not adding or removing the flag. */
const caFlags: ReadonlySet<string> = new Set(['clientCa', 'sslTrustfile']);

/** The settings for new workers: the current ones, but the initial values of those that need a restart. */
export function reloadedSettings(initial: ServeSettings, now: ServeSettings): ServeSettings {
  const fresh = Object.entries(now.flags).filter(([name]) => reloadable.has(name));
  const kept = Object.entries(initial.flags).filter(([name]) => !reloadable.has(name));
  return { handler: now.handler, flags: Object.fromEntries([...kept, ...fresh]) };
}

/** The names of changed settings that a reload does not apply. */
function needRestart(initial: ServeSettings, now: ServeSettings): string[] {
  const names = new Set([...Object.keys(initial.flags), ...Object.keys(now.flags)]);
  const isSame = (name: string) =>
    caFlags.has(name)
      ? (initial.flags[name] === undefined) === (now.flags[name] === undefined)
      : JSON.stringify(initial.flags[name]) === JSON.stringify(now.flags[name]);
  return [...names].filter((name) => !reloadable.has(name) && !isSame(name));
}
