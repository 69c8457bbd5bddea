/** The events of a page that make it worth to reconnect at once. */
import type { Environment } from './environment.ts';

/**
 * Calls `retry` when the network is back, and when the page is visible again: browsers throttle the timers of pages in the background,
 * so that its next attempt may be a minute away.
 *
 * @returns a function that ends this
 */
export function onReturn(environment: Environment, retry: () => void): () => void {
  const { document } = environment;
  const shown = () => {
    if (document?.visibilityState === 'visible') retry();
  };
  environment.addEventListener?.('online', retry);
  document?.addEventListener('visibilitychange', shown);
  return () => {
    environment.removeEventListener?.('online', retry);
    document?.removeEventListener('visibilitychange', shown);
  };
}

/** Resolves when the browser does not say that it is offline. Rejects with the signal's reason when it is aborted. */
export async function online(environment: Environment, signal: AbortSignal | undefined): Promise<void> {
  if (environment.navigator?.onLine !== false) return;
  await new Promise<void>((resolve, reject) => {
    const settle = (outcome: () => void) => {
      environment.removeEventListener?.('online', back);
      signal?.removeEventListener('abort', aborted);
      outcome();
    };
    const back = () => settle(resolve);
    const aborted = () => settle(() => reject(signal?.reason));
    signal?.addEventListener('abort', aborted);
    environment.addEventListener?.('online', back);
  });
}
