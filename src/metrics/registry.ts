/** A server's counters as Prometheus metrics, using prom-client. Loaded only when metrics are enabled. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Server } from '../server/server.ts';
import type { BusCounters, Counters, Subscriber } from '../telemetry/telemetry.ts';

/** In seconds. Handlers that compute take microseconds, those that query a database milliseconds, others longer. */
const handlerBuckets = [0.00001, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** The telemetry counter of each metric. */
const totals = {
  yodel_connections_accepted_total: ['connectionsAccepted', 'Connections that became sessions.'],
  yodel_connections_refused_total: [
    'connectionsRefused',
    'Connections that were refused; yodel_errors_total has the reasons.',
  ],
  yodel_messages_received_total: ['messagesReceived', 'Messages passed to the handler.'],
  yodel_messages_sent_total: ['messagesSent', 'Messages sent.'],
  yodel_messages_undelivered_total: [
    'messagesUndelivered',
    'Messages not sent to a peer, because its framing cannot express them.',
  ],
  yodel_room_messages_total: ['roomMessages', 'Messages that rooms were sent, each counted once for all members.'],
  yodel_room_messages_stored_total: [
    'roomMessagesStored',
    'Messages of this process that were stored in the histories of rooms.',
  ],
  yodel_room_messages_missed_total: [
    'roomMessagesMissed',
    'Messages that members of rooms missed because they read too slowly or the messages were lost between processes, counted for each of them.',
  ],
  yodel_room_messages_lost_total: [
    'roomMessagesLost',
    'Messages that other processes sent to rooms, and that were lost on the way to this one.',
  ],
  yodel_room_messages_replaced_total: [
    'roomMessagesReplaced',
    'Messages that slow members of rooms did not receive because newer ones of the same key replaced them.',
  ],
  yodel_bytes_received_total: ['bytesReceived', 'Bytes received.'],
  yodel_bytes_sent_total: ['bytesSent', 'Bytes sent.'],
} as const satisfies Record<string, [keyof Counters, string]>;

/** The metrics of the bus between servers, which exist only if there is one. */
const ofBus = {
  yodel_bus_connected: [
    ({ isConnected }) => Number(isConnected),
    'Whether there is a connection to the bus between servers.',
  ],
  yodel_bus_reconnects_total: [({ reconnects }) => reconnects, 'Connections to the bus after the first one.'],
  yodel_bus_packets_sent_total: [({ packetsSent }) => packetsSent, 'Packets sent to the bus.'],
  yodel_bus_packets_received_total: [
    ({ packetsReceived }) => packetsReceived,
    'Packets received from the bus; from Redis also those that this server has sent.',
  ],
  yodel_bus_bytes_sent_total: [({ bytesSent }) => bytesSent, 'Bytes of the packets sent to the bus.'],
  yodel_bus_bytes_received_total: [({ bytesReceived }) => bytesReceived, 'Bytes of the packets received from the bus.'],
  yodel_bus_unsent_bytes: [
    ({ bytesWaiting }) => bytesWaiting,
    'Bytes that the bus has not taken yet: what busBuffer limits.',
  ],
  yodel_bus_messages_unsent_total: [
    ({ messagesUnsent }) => messagesUnsent,
    'Messages of rooms that were not sent to other servers, because the bus was away or too slow.',
  ],
  yodel_bus_refused_total: [
    ({ refused }) => refused,
    'What the bus has refused, and packets from it that could not be read.',
  ],
} as const satisfies Record<string, [(counters: BusCounters) => number, string]>;

/** The metrics of one server. */
export interface Metrics {
  /** Measures the duration of handler calls. Subscribe it to the server's telemetry. */
  readonly subscriber: Subscriber;
  readonly contentType: string;
  /** The current values, in the text format of Prometheus. */
  text(): Promise<string>;
}

/** The server, once it runs. */
type FindServer = () => Server | undefined;

/**
 * @param server called when the metrics are read; the server may start later
 * @param expiry called likewise: when its first certificate expires, in milliseconds since 1970; undefined without TLS
 * @param worker the number of this process among several; all values have it as a label
 */
export function createMetrics(server: FindServer, expiry: () => number | undefined, worker?: number): Metrics {
  const registry = new Registry();
  if (worker !== undefined) registry.setDefaultLabels({ worker });
  collectDefaultMetrics({ register: registry });
  registerCounters(registry, server);
  registerGauges(registry, server);
  registerExpiry(registry, expiry);
  registerBus(registry, server);
  const handled = new Histogram({
    name: 'yodel_handler_seconds',
    help: 'Duration of the handler calls; a "batch" handler is called once per batch.',
    buckets: handlerBuckets,
    registers: [registry],
  });
  return {
    subscriber: { handled: (_session, _messages, durationMs) => handled.observe(durationMs / 1000) },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}

function registerCounters(registry: Registry, server: FindServer): void {
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
    help: 'Errors by code: of peers, of handlers and of refused connections.',
    labelNames: ['code'],
    registers,
    collect() {
      this.reset();
      for (const [code, count] of server()?.counters.errors ?? []) this.inc({ code }, count);
    },
  });
}

function registerGauges(registry: Registry, server: FindServer): void {
  const gauge = (name: string, help: string, value: (server: Server) => number) => {
    const collect = () => {
      const running = server();
      metric.set(running ? value(running) : 0);
    };
    const metric = new Gauge({ name, help, registers: [registry], collect });
  };
  gauge('yodel_connections_open', 'Open sessions.', ({ sessions }) => sessions.size);
  gauge('yodel_connections_limit', 'The maximum number of open sessions.', ({ maxConnections }) => maxConnections);
  gauge('yodel_rooms', 'Rooms with members in this process.', ({ counters }) => counters.rooms);
  gauge('yodel_room_members', 'Memberships of sessions in rooms.', ({ counters }) => counters.roomMembers);
  gauge(
    'yodel_room_history_bytes',
    'Memory of the histories of rooms: what maxHistoryBytes limits.',
    ({ counters }) => counters.roomHistoryBytes,
  );
  gauge(
    'yodel_room_stored_bytes',
    'What rooms have stored, in memory or in the journal: what storedBytes limits. 0 if a broker keeps it.',
    ({ counters }) => counters.roomStoredBytes,
  );
  gauge('yodel_queued_bytes', 'Bytes of messages that are waiting for the handler.', (now) => sum(now, 'queued'));
  gauge('yodel_unsent_bytes', 'Bytes of replies that are not sent yet.', (now) => sum(now, 'unsent'));
  gauge(
    'yodel_pending_bytes',
    'All pending bytes, including those of incomplete messages: what maxPendingBytes limits.',
    ({ pendingBytes }) => pendingBytes,
  );
}

function registerExpiry(registry: Registry, expiry: () => number | undefined): void {
  new Gauge({
    name: 'yodel_certificate_expiry_timestamp_seconds',
    help: 'When the first certificate of the server expires, in seconds since 1970.',
    registers: [registry],
    collect() {
      this.remove();
      const time = expiry();
      if (time !== undefined) this.set(time / 1000);
    },
  });
}

function registerBus(registry: Registry, server: FindServer): void {
  for (const [name, [value, help]] of Object.entries(ofBus)) {
    const collect = () => {
      metric.remove();
      const counters = server()?.counters.bus;
      if (counters) metric.inc(value(counters));
    };
    const Kind = name.endsWith('_total') ? Counter : Gauge;
    const metric = new Kind({ name, help, registers: [registry], collect });
  }
}

function sum({ sessions }: Server, what: 'queued' | 'unsent'): number {
  let total = 0;
  for (const session of sessions) total += session[what];
  return total;
}
