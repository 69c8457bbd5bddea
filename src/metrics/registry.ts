/** A server's counters as Prometheus has them. By prom-client; loaded only where metrics are asked for. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Server } from '../server/server.ts';
import type { Counters, Subscriber } from '../telemetry/telemetry.ts';

/** Seconds. Handlers that compute take microseconds, those that ask a database milliseconds, and some wait. */
const handlerBuckets = [0.00001, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** Which counter of telemetry each metric shows. */
const totals = {
  yodel_connections_accepted_total: ['connectionsAccepted', 'Connections that became sessions.'],
  yodel_connections_refused_total: [
    'connectionsRefused',
    'Connections that were not served; yodel_errors_total says why.',
  ],
  yodel_messages_received_total: ['messagesReceived', 'Messages that went to the handler.'],
  yodel_messages_sent_total: ['messagesSent', 'Messages that were sent.'],
  yodel_bytes_received_total: ['bytesReceived', 'Bytes that were received.'],
  yodel_bytes_sent_total: ['bytesSent', 'Bytes that were sent.'],
} as const satisfies Record<string, [keyof Counters, string]>;

/** The metrics of one server. */
export interface Metrics {
  /** To be subscribed to the server's telemetry: it measures how long handlers take. */
  readonly subscriber: Subscriber;
  readonly contentType: string;
  /** The text that Prometheus reads, as things are now. */
  text(): Promise<string>;
}

/**
 * @param server asked for when the metrics are read: it may come later
 * @param worker the number of this process among several, which all values then have as a label
 */
export function createMetrics(server: () => Server | undefined, worker?: number): Metrics {
  const registry = new Registry();
  if (worker !== undefined) registry.setDefaultLabels({ worker });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  for (const [name, [counter, help]] of Object.entries(totals)) {
    const collect = () => {
      metric.reset();
      metric.inc(server()?.counters[counter] ?? 0);
    };
    const metric = new Counter({ name, help, registers, collect });
  }
  new Counter({
    name: 'yodel_errors_total',
    help: 'Errors by code: of peers, handlers and connections that were refused.',
    labelNames: ['code'],
    registers,
    collect() {
      this.reset();
      for (const [code, count] of server()?.counters.errors ?? []) this.inc({ code }, count);
    },
  });
  const gauge = (name: string, help: string, value: (server: Server) => number) => {
    const collect = () => {
      const now = server();
      metric.set(now ? value(now) : 0);
    };
    const metric = new Gauge({ name, help, registers, collect });
  };
  gauge('yodel_connections_open', 'Sessions that are open.', ({ sessions }) => sessions.size);
  gauge('yodel_connections_limit', 'How many may be open.', ({ maxConnections }) => maxConnections);
  gauge('yodel_queued_bytes', 'Bytes of messages that wait for their handler.', (now) => sum(now, 'queued'));
  gauge('yodel_unsent_bytes', 'Bytes of replies that peers have not taken yet.', (now) => sum(now, 'unsent'));
  gauge(
    'yodel_pending_bytes',
    'All bytes that wait, those of unfinished messages too: what maxPendingBytes limits.',
    ({ pendingBytes }) => pendingBytes,
  );
  const handled = new Histogram({
    name: 'yodel_handler_seconds',
    help: 'How long the handler took, of each call; for "batch" handlers a call is one batch.',
    buckets: handlerBuckets,
    registers,
  });
  return {
    subscriber: { handled: (_session, _messages, durationMs) => handled.observe(durationMs / 1000) },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}

function sum({ sessions }: Server, what: 'queued' | 'unsent'): number {
  let total = 0;
  for (const session of sessions) total += session[what];
  return total;
}
