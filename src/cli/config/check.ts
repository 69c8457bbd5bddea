/** `yodel config check`: everything that `yodel serve` does before it listens. Loaded only when it runs. */
import { readSettings } from '../serve/check.ts';
import { handlerFor } from '../serve/handler/handler.ts';
import type { ServeSettings } from '../serve/settings.ts';

/** Checks settings, and loads the handler. @throws UsageError, YodelError for the first invalid setting */
export async function checkServe(settings: ServeSettings): Promise<void> {
  await readSettings(settings);
  await handlerFor(settings, () => undefined);
}
