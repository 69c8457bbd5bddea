/** `yodel config check`: all that `yodel serve` does before it listens. Loaded only when it runs. */
import { readSettings } from '../serve/check.ts';
import { handlerFor } from '../serve/handler.ts';
import type { ServeSettings } from '../serve/settings.ts';

/** @throws UsageError, YodelError for the first thing that is wrong */
export async function checkServe(settings: ServeSettings): Promise<void> {
  await readSettings(settings);
  await handlerFor(settings, () => undefined);
}
