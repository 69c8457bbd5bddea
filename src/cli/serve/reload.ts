/** How `yodel serve` goes on with other settings. */
import type { Address } from '../../address.ts';
import { serveLimits } from '../../options.ts';
import { escapeText } from '../../terminal/escape.ts';
import type { ServerTls } from '../../transport/transport.ts';
import { flagKey } from '../flags.ts';
import { checkSettings } from './check.ts';
import { handlerFlags } from './handler-flags.ts';
import type { Say } from './outputs.ts';
import type { ServeSettings } from './settings.ts';
import { notifySystemd } from './systemd.ts';
import { type Certificates, readServerTls, watchFiles } from './tls.ts';

/** Gives the settings as they are now. */
export type Reread = () => Promise<ServeSettings>;

/** What a reload needs. */
export interface Reloading {
  /** As they were at the start. */
  readonly settings: ServeSettings;
  readonly addresses: readonly Address[];
  readonly certificates: Certificates | undefined;
  /** Other files of which a change is a reason to reload. */
  readonly files: readonly string[];
  readonly reread: Reread;
  /** Goes on with these. @throws when it cannot; then all stays as it was */
  apply(settings: ServeSettings, tls: ServerTls | undefined): Promise<void>;
  readonly say: Say;
}

/** A handler file may do much when it is loaded; but one that is never done must not stop all reloads that follow. */
const applyWithinMs = 60_000;

/** When it is told to, and when certificates have changed, goes on with the settings as they are now; wrong ones are told, and all stays. */
export function reloadOnChange(reloading: Reloading): { reload(): void; close(): void } {
  const { settings: initial, addresses, certificates, files, reread, apply, say } = reloading;
  const reload = async () => {
    notifySystemd('RELOADING=1', say);
    try {
      const settings = await reread();
      const isMade = certificates?.fingerprint !== undefined;
      const read = certificates && !isMade ? await readServerTls(settings.flags, addresses) : certificates;
      const tls = read && { ...read.tls, ...keptOf(certificates?.tls) };
      await checkSettings(settings, addresses, tls);
      await within(applyWithinMs, apply(settings, tls));
      const waiting = needRestart(initial, settings);
      const rest = waiting.length > 0 ? `; only after a restart: ${waiting.join(', ')}` : '';
      say(`reloaded: new sessions have the settings as they are now${rest}`);
    } catch (error) {
      say(`not reloaded, all stays as it was: ${escapeText((error as Error).message)}`);
    }
    notifySystemd('READY=1', say);
  };
  // One after the other: the last one that was asked for wins.
  let last = Promise.resolve();
  const soon = () => {
    last = last.then(reload);
  };
  return { reload: soon, ...watchFiles([...(certificates?.files ?? []), ...files], soon) };
}

/** Of TLS, what stays as it was: the protocols, and whether clients are asked for a certificate. */
function keptOf(tls: ServerTls | undefined): Partial<ServerTls> {
  const isAsked = tls?.clientCa !== undefined;
  return { alpn: tls?.alpn, ...(isAsked ? {} : { clientCa: undefined }) };
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it was not done within ${ms / 1000} s`)), ms);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Settings that a reload does not follow, though they are limits of the server. */
const fixedLimits: ReadonlySet<string> = new Set(['backlog', 'handshakeTimeout']);

/** The flags that a reload follows: limits, who may connect, and (by their content) certificates. */
const followed: ReadonlySet<string> = new Set([
  ...Object.entries(serveLimits).flatMap(([name, spec]) => (fixedLimits.has(name) ? [] : [flagKey(name, spec)])),
  ...['allow', 'deny', 'handler', 'lenient', 'config', 'cert', 'key', 'sni', 'sslCert', 'sslKey'],
  ...handlerFlags,
]);

/** Whether a reload follows a setting; of client authorities only the content. */
export function isFollowed(name: string): boolean {
  return followed.has(name) || caFlags.has(name);
}

/** Whose content is followed, but not whether there are any. */
const caFlags: ReadonlySet<string> = new Set(['clientCa', 'sslTrustfile']);

/** The settings as they are now, with all that needs a restart as it was: what new workers begin with. */
export function reloadedSettings(initial: ServeSettings, now: ServeSettings): ServeSettings {
  const fresh = Object.entries(now.flags).filter(([name]) => followed.has(name));
  const kept = Object.entries(initial.flags).filter(([name]) => !followed.has(name));
  return { handler: now.handler, flags: Object.fromEntries([...kept, ...fresh]) };
}

/** The names of settings that have changed, and that a reload does not follow. */
function needRestart(initial: ServeSettings, now: ServeSettings): string[] {
  const names = new Set([...Object.keys(initial.flags), ...Object.keys(now.flags)]);
  const isSame = (name: string) =>
    caFlags.has(name)
      ? (initial.flags[name] === undefined) === (now.flags[name] === undefined)
      : JSON.stringify(initial.flags[name]) === JSON.stringify(now.flags[name]);
  return [...names].filter((name) => !followed.has(name) && !isSame(name));
}
