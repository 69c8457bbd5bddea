/** How `yodel serve` goes on with other settings. */
import type { Address } from '../address.ts';
import type { ServerTls } from '../transport/transport.ts';
import { harmlessText } from './harmless.ts';
import type { ServeSettings } from './serve-command.ts';
import type { Say } from './serve-outputs.ts';
import { type Certificates, readServerTls, watchFiles } from './serve-tls.ts';
import { notifySystemd } from './systemd.ts';

/** Gives the settings as they are now. */
export type Reread = () => Promise<ServeSettings>;

/** What a reload needs. */
export interface Reloading {
  readonly addresses: readonly Address[];
  readonly certificates: Certificates | undefined;
  /** Other files of which a change is a reason to reload. */
  readonly files: readonly string[];
  readonly reread: Reread;
  /** Goes on with these. @throws when it cannot; then all stays as it was */
  apply(settings: ServeSettings, tls: ServerTls | undefined): Promise<void>;
  readonly say: Say;
}

/** When it is told to, and when certificates have changed, goes on with the settings as they are now; wrong ones are told, and all stays. */
export function reloadOnChange(reloading: Reloading): { reload(): void; close(): void } {
  const { addresses, certificates, files, reread, apply, say } = reloading;
  const reload = async () => {
    notifySystemd('RELOADING=1', say);
    try {
      const settings = await reread();
      const isMade = certificates?.fingerprint !== undefined;
      const read = certificates && !isMade ? await readServerTls(settings.flags, addresses) : certificates;
      await apply(settings, read?.tls);
      say('reloaded: new sessions have the settings as they are now');
    } catch (error) {
      say(`not reloaded, all stays as it was: ${harmlessText((error as Error).message)}`);
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
