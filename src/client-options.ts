/** The limits of clients and their defaults: a part of the tables of options.ts. */
import { longestDuration, longestKeepAlive, longestMessage, type OptionSpec, type ValuesOf } from './option-values.ts';

/** Limits of a client. */
export const clientOptions = {
  /** The longest message accepted, in bytes: its payload, without header, delimiter, length field or escape bytes. */
  maxMessageLength: {
    kind: 'size',
    default: 16_777_216,
    max: longestMessage,
    summary:
      'The longest message accepted, in bytes: its payload, without header, delimiter, length field or escape bytes.',
    reason: 'A client has chosen its server. The limit only keeps a faulty one from filling the memory.',
  },
  /** The time-out for connecting. */
  connectTimeout: {
    kind: 'duration',
    default: 10_000,
    max: longestDuration,
    off: 'as long as the operating system tries',
    summary: 'The time-out for connecting.',
    reason: 'As in ioredis and ncat.',
  },
  /** The time-out for a reply to a request. */
  requestTimeout: {
    kind: 'duration',
    default: 30_000,
    max: longestDuration,
    off: 'never',
    summary: 'The time-out for a reply to a request.',
    reason: 'Callers further up usually time out after half a minute too.',
  },
  /** How many requests may have no reply at the same time; further ones are rejected. */
  maxRequestsInFlight: {
    kind: 'count',
    default: 100_000,
    off: 'unlimited',
    summary: 'How many requests may have no reply at the same time; further ones are rejected.',
    reason: 'Each takes about half a kilobyte of memory. No server that keeps up has so many.',
  },
  /** How long `close()` waits for the peer to end its side. */
  closeTimeout: {
    kind: 'duration',
    default: 5_000,
    max: longestDuration,
    off: 'not at all',
    summary: 'How long `close()` waits for the peer to end its side.',
    reason: 'Replies in flight arrive within a few round trips.',
  },
  /** Ping the peer of a WebSocket that sends nothing for this long, and disconnect it if it sends nothing for that long again. */
  pingInterval: {
    kind: 'duration',
    default: 25_000,
    max: longestDuration,
    off: 'never',
    summary:
      'Ping the peer of a WebSocket that sends nothing for this long, and disconnect it if it sends nothing for that long again.',
    reason: 'As for a server.',
  },
  /** Probe the peer of a connection that is silent for this long, over TCP, and close it if the peer no longer exists. */
  keepAlive: {
    kind: 'duration',
    default: 60_000,
    max: longestKeepAlive,
    off: 'never',
    summary:
      'Probe the peer of a connection that is silent for this long, over TCP, and close it if the peer no longer exists.',
    reason: 'As for a server.',
  },
  /** Stop reading the peer while more than this many bytes of messages have not been consumed. */
  highWaterMark: {
    kind: 'size',
    default: 1_048_576,
    max: longestMessage,
    summary: 'Stop reading the peer while more than this many bytes of messages have not been consumed.',
    reason: 'A client has one connection, a server thousands, so it can afford more.',
  },
} as const satisfies Record<string, OptionSpec>;

/** Options of reconnecting. */
export const reconnectOptions = {
  /** The pause before the first new attempt; it doubles after each failure. */
  minDelay: {
    kind: 'duration',
    default: 50,
    max: longestDuration,
    summary: 'The pause before the first new attempt; it doubles after each failure.',
    reason: 'As in ioredis: a restarted server is found again at once.',
  },
  /** The longest pause between two attempts to connect. */
  maxDelay: {
    kind: 'duration',
    default: 5_000,
    max: longestDuration,
    summary: 'The longest pause between two attempts to connect.',
    reason: 'The order of magnitude of ioredis and nats.',
  },
  /** The number of failed attempts in a row after which the client closes. */
  maxAttempts: {
    kind: 'count',
    default: 20,
    off: 'unlimited',
    summary: 'The number of failed attempts in a row after which the client closes.',
    reason:
      'About a minute and a half with the other defaults: enough for a restart, while a dead host is given up eventually.',
  },
} as const satisfies Record<string, OptionSpec>;

/** Options of a pool of connections. */
export const poolOptions = {
  /** How many connections the pool opens at most. */
  size: {
    kind: 'count',
    default: 4,
    summary: 'How many connections the pool opens at most.',
    reason: 'A connection carries many requests at a time; more help where the server handles them one after another.',
  },
  /** How many requests may wait for a connection; further ones are rejected. */
  maxWaiting: {
    kind: 'count',
    default: 1_000,
    off: 'none may wait',
    summary: 'How many requests may wait for a connection; further ones are rejected.',
    reason: 'More would time out while they wait. Callers learn at once that the server does not keep up.',
  },
} as const satisfies Record<string, OptionSpec>;

/** Options of a pool, all given. See the reference for each. */
export type PoolLimits = ValuesOf<typeof poolOptions>;
/** Limits of a client, all given. See the reference for each. */
export type ClientLimits = ValuesOf<typeof clientOptions>;
/** Limits of a client's reconnecting, all given. */
export type ReconnectLimits = ValuesOf<typeof reconnectOptions>;
