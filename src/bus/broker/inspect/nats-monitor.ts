/** The monitoring page of NATS, which says what clients are not told. */
import { YodelError } from '../../../errors.ts';

/** A part of `/varz`. Times are nanoseconds. */
export interface MonitorPage {
  readonly server_id?: string;
  readonly max_pending?: number;
  readonly write_deadline?: number;
  readonly jetstream?: {
    readonly config?: {
      readonly max_memory?: number;
      readonly max_storage?: number;
      readonly store_dir?: string;
      readonly sync_interval?: number;
      readonly sync_always?: boolean;
    };
  };
}

const timeoutMs = 5000;

/**
 * @param monitor `http://HOST:8222`
 * @throws YodelError `YODEL_INVALID_ADDRESS`; `YODEL_NETWORK` if it cannot be read
 */
export async function monitorPage(monitor: string): Promise<MonitorPage> {
  const base = URL.parse(monitor);
  // The text may have a password.
  if (!base || !/^https?:$/.test(base.protocol) || base.username !== '' || base.password !== '') {
    throw new YodelError('YODEL_INVALID_ADDRESS', 'the monitoring page of NATS is at http://HOST:8222, without a user');
  }
  const page = new URL('varz', base.href.endsWith('/') ? base : `${base.href}/`);
  try {
    const response = await fetch(page, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return (await response.json()) as MonitorPage;
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error && cause.message !== '' ? cause.message : message;
    throw new YodelError('YODEL_NETWORK', `cannot read ${page.href}: ${reason}`, { cause: error });
  }
}
