/** `yodel config check`: all that `yodel serve` does before it listens. Loaded only when it runs. */
import { checkSettings } from './serve-check.ts';
import type { ServeSettings } from './serve-command.ts';
import { handlerFor } from './serve-handler.ts';
import { readServerTls } from './serve-tls.ts';
import { listenOf } from './serve-welcome.ts';

/** @throws UsageError, YodelError for the first thing that is wrong */
export async function checkServe(settings: ServeSettings): Promise<void> {
  const addresses = listenOf(settings);
  const certificates = await readServerTls(settings.flags, addresses);
  await checkSettings(settings, addresses, certificates?.tls);
  await handlerFor(settings, () => undefined);
}
