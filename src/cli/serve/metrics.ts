/** The metrics of `yodel serve --metrics`, for Prometheus and process managers. Loaded only when the flag is given. */
import { type Address, formatPeer, isLoopback, parseAddress, TcpAddress } from '../../address.ts';
import { type Health, serveHealth } from '../../metrics/http.ts';
import { UsageError } from '../fail.ts';
import type { Notify } from './outputs.ts';

export { createMetrics } from '../../metrics/registry.ts';
export { metricsOfWorkers } from '../../metrics/workers.ts';

/** Parses the address of --metrics. @throws UsageError if it is not a TCP address */
export function metricsAddress(where: string): TcpAddress {
  const address: Address = parseAddress(where);
  if (address instanceof TcpAddress) return address;
  throw new UsageError(`--metrics takes a TCP address such as :9100, not ${address}`);
}

/** The names of --metrics-host. */
export function metricsHosts({ metricsHost }: Readonly<Record<string, unknown>>): readonly string[] {
  return (metricsHost as readonly string[] | undefined) ?? [];
}

/** Starts the metrics server, and prints its address. @throws YodelError if it cannot listen */
export async function serveMetrics(address: TcpAddress, health: Health, notify: Notify): Promise<{ close(): void }> {
  const metricsServer = await serveHealth(address, health);
  notify(`metrics at http://${formatPeer(metricsServer.address)}/metrics, also /healthz and /readyz`);
  if (!isLoopback(address)) notify('anyone who can reach this machine can read the metrics');
  return metricsServer;
}
