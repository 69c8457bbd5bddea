/** The metrics of a server: their names without prefix, and where each value comes from. */
import type { Server } from '../server/server.ts';
import type { BusCounters, Counters } from '../telemetry/telemetry.ts';
import type { HandlerDurations } from './histogram.ts';
import type { Sample } from './sample.ts';

/** What the metrics of one server are read from. */
export interface Source {
  /** The server. Undefined: it does not run yet. */
  server(): MeasuredServer | undefined;
  readonly durations: HandlerDurations;
  /** When the first certificate of the server expires, in milliseconds since 1970; undefined without TLS. Absent: it is not known. */
  readonly certificateExpiry?: (() => number | undefined) | undefined;
}

/** What is measured of a server. */
export type MeasuredServer = Pick<Server, 'counters' | 'maxConnections' | 'pendingBytes' | 'subscribe'> & {
  readonly sessions: Iterable<{ readonly queued: number; readonly unsent: number }> & { readonly size: number };
};

/** One metric. */
export interface MetricDefinition {
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The values now. @param name with its prefix */
  samples(source: Source, name: string): Sample[];
}

/** A telemetry counter. */
function total(counter: keyof Counters, help: string): MetricDefinition {
  return { help, type: 'counter', samples: (source) => one((source.server()?.counters[counter] as number) ?? 0) };
}

function gauge(help: string, value: (server: MeasuredServer) => number): MetricDefinition {
  return {
    help,
    type: 'gauge',
    samples: (source) => {
      const server = source.server();
      return one(server ? value(server) : 0);
    },
  };
}

/** A value of the bus between servers, which exists only if there is one. */
function bus(type: 'counter' | 'gauge', help: string, value: (counters: BusCounters) => number): MetricDefinition {
  return {
    help,
    type,
    samples: (source) => {
      const counters = source.server()?.counters.bus;
      return counters ? one(value(counters)) : [];
    },
  };
}

function one(value: number): Sample[] {
  return [{ value, labels: {} }];
}

function sum({ sessions }: MeasuredServer, what: 'queued' | 'unsent'): number {
  let all = 0;
  for (const session of sessions) all += session[what];
  return all;
}

/** All metrics, in the order in which they are printed. */
export const catalogue: Readonly<Record<string, MetricDefinition>> = {
  connections_accepted_total: total('connectionsAccepted', 'Connections that became sessions.'),
  connections_refused_total: total(
    'connectionsRefused',
    'Connections that were refused; yodel_errors_total has the reasons.',
  ),
  messages_received_total: total('messagesReceived', 'Messages passed to the handler.'),
  messages_sent_total: total('messagesSent', 'Messages sent.'),
  messages_undelivered_total: total(
    'messagesUndelivered',
    'Messages not sent to a peer, because its framing cannot express them.',
  ),
  room_messages_total: total('roomMessages', 'Messages that rooms were sent, each counted once for all members.'),
  room_messages_stored_total: total(
    'roomMessagesStored',
    'Messages of this process that were stored in the histories of rooms.',
  ),
  room_messages_missed_total: total(
    'roomMessagesMissed',
    'Messages that members of rooms missed because they read too slowly or the messages were lost between processes, counted for each of them.',
  ),
  room_messages_lost_total: total(
    'roomMessagesLost',
    'Messages that other processes sent to rooms, and that were lost on the way to this one.',
  ),
  room_messages_replaced_total: total(
    'roomMessagesReplaced',
    'Messages that slow members of rooms did not receive because newer ones of the same key replaced them.',
  ),
  bytes_received_total: total('bytesReceived', 'Bytes received.'),
  bytes_sent_total: total('bytesSent', 'Bytes sent.'),
  errors_total: {
    help: 'Errors by code: of peers, of handlers and of refused connections.',
    type: 'counter',
    samples: (source) =>
      [...(source.server()?.counters.errors ?? [])].map(([code, value]) => ({ value, labels: { code } })),
  },
  connections_open: gauge('Open sessions.', ({ sessions }) => sessions.size),
  connections_limit: gauge('The maximum number of open sessions.', ({ maxConnections }) => maxConnections),
  rooms: gauge('Rooms with members in this process.', ({ counters }) => counters.rooms),
  room_members: gauge('Memberships of sessions in rooms.', ({ counters }) => counters.roomMembers),
  room_history_bytes: gauge(
    'Memory of the histories of rooms: what maxHistoryBytes limits.',
    ({ counters }) => counters.roomHistoryBytes,
  ),
  room_stored_bytes: gauge(
    'What rooms have stored, in memory or in the journal: what storedBytes limits. 0 if a broker keeps it.',
    ({ counters }) => counters.roomStoredBytes,
  ),
  queued_bytes: gauge('Bytes of messages that are waiting for the handler.', (now) => sum(now, 'queued')),
  unsent_bytes: gauge('Bytes of replies that are not sent yet.', (now) => sum(now, 'unsent')),
  pending_bytes: gauge(
    'All pending bytes, including those of incomplete messages: what maxPendingBytes limits.',
    ({ pendingBytes }) => pendingBytes,
  ),
  certificate_expiry_timestamp_seconds: {
    help: 'When the first certificate of the server expires, in seconds since 1970.',
    type: 'gauge',
    samples: ({ certificateExpiry }) => {
      const time = certificateExpiry?.();
      return time === undefined ? [] : one(time / 1000);
    },
  },
  bus_connected: bus('gauge', 'Whether there is a connection to the bus between servers.', ({ isConnected }) =>
    Number(isConnected),
  ),
  bus_reconnects_total: bus('counter', 'Connections to the bus after the first one.', ({ reconnects }) => reconnects),
  bus_packets_sent_total: bus('counter', 'Packets sent to the bus.', ({ packetsSent }) => packetsSent),
  bus_packets_received_total: bus(
    'counter',
    'Packets received from the bus; from Redis also those that this server has sent.',
    ({ packetsReceived }) => packetsReceived,
  ),
  bus_bytes_sent_total: bus('counter', 'Bytes of the packets sent to the bus.', ({ bytesSent }) => bytesSent),
  bus_bytes_received_total: bus(
    'counter',
    'Bytes of the packets received from the bus.',
    ({ bytesReceived }) => bytesReceived,
  ),
  bus_unsent_bytes: bus(
    'gauge',
    'Bytes that the bus has not taken yet: what busBuffer limits.',
    ({ bytesWaiting }) => bytesWaiting,
  ),
  bus_messages_unsent_total: bus(
    'counter',
    'Messages of rooms that were not sent to other servers, because the bus was away or too slow.',
    ({ messagesUnsent }) => messagesUnsent,
  ),
  bus_refused_total: bus(
    'counter',
    'What the bus has refused, and packets from it that could not be read.',
    ({ refused }) => refused,
  ),
  handler_seconds: {
    help: 'Duration of the handler calls; a "batch" handler is called once per batch.',
    type: 'histogram',
    samples: ({ durations }, name) => durations.samples(name),
  },
};
