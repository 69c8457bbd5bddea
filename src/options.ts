/**
 * Every limit and its default. The library's types, the flags, the environment variables and the reference are generated
 * from these tables.
 *
 * Times are milliseconds, sizes are bytes, rates are messages per second; 0 is off where `off` says what that means.
 */
import { longestDuration, longestKeepAlive, longestMessage, type OptionSpec, type ValuesOf } from './option-values.ts';
import { sessionOptions } from './session-options.ts';

export * from './client-options.ts';
export { longestDuration } from './option-values.ts';
export * from './session-options.ts';

/** Limits of a server as a whole. */
export const serverOptions = {
  /** The number of connections served at once; others are refused with an error reply. */
  maxConnections: {
    kind: 'count',
    default: 10_000,
    summary: 'The number of connections served at once; others are refused with an error reply.',
    reason: 'The maxclients of Redis. One connection costs a few kilobytes.',
  },
  /** The number of connections per address at once (for IPv6, per 64-bit prefix). */
  maxConnectionsPerAddress: {
    kind: 'count',
    default: 0,
    off: 'as many as maxConnections',
    summary: 'The number of connections per address at once (for IPv6, per 64-bit prefix).',
    reason: 'A whole company may share one address, and maxConnections applies in any case.',
  },
  /** The number of new connections per address and second, with a burst of one second's worth. */
  connectionRate: {
    kind: 'rate',
    default: 0,
    off: 'no limit',
    max: 1_000_000_000,
    summary: "The number of new connections per address and second, with a burst of one second's worth.",
    reason: 'As for maxConnectionsPerAddress. A refused connection costs little.',
  },
  /** The memory limit for pending bytes of all sessions. Above 3/4 of it the largest are throttled, above it disconnected. */
  maxPendingBytes: {
    kind: 'size',
    default: 268_435_456,
    summary:
      'The memory limit for pending bytes of all sessions. Above 3/4 of it the largest are throttled, above it disconnected.',
    reason: "A fraction of a small machine's memory, and a thousand times the limit of one ordinary session.",
  },
  /** The number of rooms that exist at once. */
  maxRooms: {
    kind: 'count',
    default: 100_000,
    off: 'unlimited',
    summary: 'The number of rooms that exist at once.',
    reason: 'An empty room costs nothing, and one with members about a kilobyte. Ten for each of maxConnections.',
  },
  /** The memory for what the slow members of a room have not received, per room and in bytes; without slow members, none. */
  roomBuffer: {
    kind: 'size',
    default: 1_048_576,
    max: longestMessage,
    summary:
      'The memory for what the slow members of a room have not received, per room and in bytes; without slow members, none.',
    reason: "Centrifugo's queue for one client. Here all slow members of a room share it.",
  },
  /** What becomes of a member that is further behind than roomBuffer: it misses messages, it is closed, or the sender waits. */
  roomBehind: {
    kind: 'choice',
    default: 'skip',
    choices: ['skip', 'close', 'wait'],
    summary:
      'What becomes of a member that is further behind than roomBuffer: it misses messages, it is closed, or the sender waits.',
    reason:
      'A handler with the callback `missed` learns how many messages a member has missed; without it, skip is close. With wait, one slow member slows down the whole room.',
  },
  /** The number of messages that a room keeps for those who join it. */
  roomHistory: {
    kind: 'count',
    default: 0,
    off: 'none',
    max: 1_000_000,
    summary: 'The number of messages that a room keeps for those who join it.',
    reason:
      'Only some applications need them, and they cost memory: at most roomBuffer per room, and maxHistoryBytes in all.',
  },
  /** The memory limit for the histories of all rooms together. Above it, the largest lose their oldest messages. */
  maxHistoryBytes: {
    kind: 'size',
    default: 67_108_864,
    summary:
      'The memory limit for the histories of all rooms together. Above it, the largest lose their oldest messages.',
    reason: 'A quarter of maxPendingBytes, in which it does not count, because no peer waits for it.',
  },
  /** The number of stored messages that are kept of each room. Older ones are removed. */
  storedMessages: {
    kind: 'count',
    default: 10_000,
    off: 'unlimited',
    summary: 'The number of stored messages that are kept of each room. Older ones are removed.',
    reason: 'Enough for clients that were away for a while, and read again in less than a second.',
  },
  /** How long stored messages are kept. */
  storedAge: {
    kind: 'duration',
    default: 86_400_000,
    off: 'unlimited',
    summary: 'How long stored messages are kept.',
    reason: 'A day: clients come back after a night. What must be kept for longer belongs in a database.',
  },
  /** The space for the stored messages of all rooms together. Above it, the oldest are removed. */
  storedBytes: {
    kind: 'size',
    default: 67_108_864,
    off: 'unlimited',
    summary: 'The space for the stored messages of all rooms together. Above it, the oldest are removed.',
    reason: 'As maxHistoryBytes: without a bus or journal it is memory of the server.',
  },
  /** The memory for what another process has not read of what rooms are sent, per process; more is lost, and counted. */
  busBuffer: {
    kind: 'size',
    default: 1_048_576,
    max: longestMessage,
    summary:
      'The memory for what another process has not read of what rooms are sent, per process; more is lost, and counted.',
    reason:
      'As roomBuffer. A process that reads nothing for a moment loses nothing at 1 MB/s; one that hangs costs no more.',
  },
  /** The time-out for everything before the first message: TLS, WebSocket, a PROXY header. */
  handshakeTimeout: {
    kind: 'duration',
    default: 5_000,
    max: longestDuration,
    off: 'never',
    summary: 'The time-out for everything before the first message: TLS, WebSocket, a PROXY header.',
    reason: 'As in ranch and Thousand Island; NATS has 2 s.',
  },
  /** Ping the peer of a WebSocket that sends nothing for this long, and disconnect it if it sends nothing for that long again. */
  pingInterval: {
    kind: 'duration',
    default: 25_000,
    max: longestDuration,
    off: 'never',
    summary:
      'Ping the peer of a WebSocket that sends nothing for this long, and disconnect it if it sends nothing for that long again.',
    reason:
      'That of Socket.IO. Load balancers often cut a connection after a minute of silence. Pings and pongs do not count for idleTimeout.',
  },
  /** Probe the peer of a connection that is silent for this long, over TCP, and close it if the peer no longer exists. */
  keepAlive: {
    kind: 'duration',
    default: 60_000,
    max: longestKeepAlive,
    off: 'never',
    summary:
      'Probe the peer of a connection that is silent for this long, over TCP, and close it if the peer no longer exists.',
    reason:
      'Between Go (15 s) and Redis (300 s): peers that vanished are found in minutes, and firewalls and NATs, which forget silent connections after minutes, keep them. Linux waits two hours. Probes do not count for idleTimeout.',
  },
  /** The length of the operating system's queue of connections that are not accepted yet. */
  backlog: {
    kind: 'count',
    default: 4_096,
    max: 65_535,
    summary: "The length of the operating system's queue of connections that are not accepted yet.",
    reason:
      'The limit of Linux itself (net.core.somaxconn), which shortens it where it is less. So bursts of thousands wait instead of failing.',
  },
  /** The time-out for the handler's `start`; the server does not start then, or a reload changes nothing. */
  startTimeout: {
    kind: 'duration',
    default: 10_000,
    max: longestDuration,
    off: 'never',
    summary: "The time-out for the handler's `start`; the server does not start then, or a reload changes nothing.",
    reason:
      "As fastify's pluginTimeout: long enough for a connection to a database. Work that takes longer should not delay the start.",
  },
  /** Keep accepting connections for this long after a shutdown begins and readiness is off. */
  drainDelay: {
    kind: 'duration',
    default: 0,
    max: longestDuration,
    off: 'not at all',
    summary: 'Keep accepting connections for this long after a shutdown begins and readiness is off.',
    reason: 'Only load balancers need time to react, usually 5 to 15 s.',
  },
  /** Disconnect the remaining sessions this long after a shutdown begins. */
  shutdownTimeout: {
    kind: 'duration',
    default: 15_000,
    max: longestDuration,
    off: 'at once',
    summary: 'Disconnect the remaining sessions this long after a shutdown begins.',
    reason: 'As in Thousand Island. Process managers kill after 30 to 90 s.',
  },
} as const satisfies Record<string, OptionSpec>;

/** Options of a journal. */
export const journalOptions = {
  /** What a reply guarantees: that the message is on disk, that the operating system has it, or nothing. */
  durability: {
    kind: 'choice',
    default: 'full',
    choices: ['full', 'normal', 'off'],
    summary: 'What a reply guarantees: that the message is on disk, that the operating system has it, or nothing.',
    reason:
      'A journal should contain every message that was answered. The other values are for those who have measured.',
  },
  /** Delete the oldest messages above this size. */
  maxSize: {
    kind: 'size',
    default: 0,
    off: 'unlimited',
    max: Number.MAX_SAFE_INTEGER,
    summary: 'Delete the oldest messages above this size.',
    reason: 'Recorded messages are deleted only on request. If the disk is full, clients get an error.',
  },
  /** Delete messages older than this. */
  maxAge: {
    kind: 'duration',
    default: 0,
    off: 'never',
    max: Number.MAX_SAFE_INTEGER,
    summary: 'Delete messages older than this.',
    reason: 'As for maxSize.',
  },
  /** Record at most this many bytes of a message, and mark it as truncated. */
  maxMessage: {
    kind: 'size',
    default: 0,
    off: 'unlimited',
    max: longestMessage,
    summary: 'Record at most this many bytes of a message, and mark it as truncated.',
    reason: 'Messages should be complete, and maxMessageLength limits them already.',
  },
} as const satisfies Record<string, OptionSpec>;

/** Options of the processes of `yodel serve`. */
export const processOptions = {
  /** Report on stderr that the event loop is blocked for this long, for example by a handler that computes. */
  blockedWarning: {
    kind: 'duration',
    default: 1_000,
    max: longestDuration,
    off: 'never',
    summary: 'Report on stderr that the event loop is blocked for this long, for example by a handler that computes.',
    reason: 'Between Vert.x, which warns after 2 s, and what clients notice.',
  },
  /** Kill and replace a worker that does not respond for this long, for example because its handler never returns. */
  workerTimeout: {
    kind: 'duration',
    default: 30_000,
    max: longestDuration,
    off: 'never',
    summary:
      'Kill and replace a worker that does not respond for this long, for example because its handler never returns.',
    reason: "As in gunicorn. The worker's connections are lost, so this must be longer than any handler computes.",
  },
} as const satisfies Record<string, OptionSpec>;

/** All limits of a server: those of its sessions, and its own. */
export const serveLimits = { ...sessionOptions, ...serverOptions } as const;

/** Limits of a server, all given. See the reference for each. */
export type ServerLimits = ValuesOf<typeof serverOptions>;
/** Options of the processes of `yodel serve`, all given. */
export type ProcessLimits = ValuesOf<typeof processOptions>;
