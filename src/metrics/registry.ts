/** The metrics of `yodel serve`, in a registry of their own, with those of the process. Loaded only when metrics are enabled. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Server } from '../server/server.ts';
import type { Subscriber } from '../telemetry/telemetry.ts';
import { addSource } from './family.ts';
import { HandlerDurations } from './histogram.ts';

/** The metrics of one server. */
export interface Metrics {
  /** Measures the duration of handler calls. Subscribe it to the server's telemetry. */
  readonly subscriber: Subscriber;
  readonly contentType: string;
  /** The current values, in the text format of Prometheus. */
  text(): Promise<string>;
}

/**
 * @param server called when the metrics are read; the server may start later
 * @param certificateExpiry called likewise: when its first certificate expires, in milliseconds since 1970; undefined without TLS
 * @param worker the number of this process among several; all values have it as a label
 */
export function createMetrics(
  server: () => Server | undefined,
  certificateExpiry: () => number | undefined,
  worker?: number,
): Metrics {
  const registry = new Registry();
  if (worker !== undefined) registry.setDefaultLabels({ worker });
  collectDefaultMetrics({ register: registry });
  const durations = new HandlerDurations();
  addSource(registry, 'yodel_', { server, durations, certificateExpiry }, {});
  return {
    subscriber: durations.subscriber,
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
