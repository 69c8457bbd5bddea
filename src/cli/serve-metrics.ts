/** `yodel serve --metrics`: what process managers and Prometheus ask for. Loaded only when it is given. */
import { type Address, formatPeer, isLoopback, parseAddress, TcpAddress } from '../address.ts';
import { serveHealth } from '../metrics/http.ts';
import { createMetrics } from '../metrics/registry.ts';
import type { Server } from '../server/server.ts';
import type { Subscriber } from '../telemetry/telemetry.ts';
import { UsageError } from './fail.ts';

/** Metrics of a server that comes later. */
export interface PreparedMetrics {
  readonly subscriber: Subscriber;
  /** Begins to answer. @throws YodelError when it cannot listen */
  serve(server: Server, say: (text: string) => void): Promise<{ close(): void }>;
}

/** @throws UsageError when the address is none of TCP */
export function prepareMetrics(where: string): PreparedMetrics {
  const address: Address = parseAddress(where);
  if (!(address instanceof TcpAddress))
    throw new UsageError(`--metrics takes a TCP address such as :9100, not ${address}`);
  let served: Server | undefined;
  const metrics = createMetrics(() => served);
  return {
    subscriber: metrics.subscriber,
    async serve(server, say) {
      served = server;
      const health = await serveHealth(address, { metrics, isReady: () => !server.closing });
      say(`metrics at http://${formatPeer(health.address)}/metrics, also /healthz and /readyz`);
      if (!isLoopback(address)) say('everybody who reaches this machine can read the metrics');
      return health;
    },
  };
}
