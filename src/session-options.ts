/** The limits of sessions and their defaults: a part of the tables of options.ts. */
import { longestDuration, longestMessage, type OptionSpec, type ValuesOf } from './option-values.ts';

/** Limits of one session. They apply to each connection of a server separately. */
export const sessionOptions = {
  /** The longest message accepted, in bytes: its payload, without header, delimiter, length field or escape bytes. */
  maxMessageLength: {
    kind: 'size',
    flag: 'max-message',
    default: 65_536,
    max: longestMessage,
    summary:
      'The longest message accepted, in bytes: its payload, without header, delimiter, length field or escape bytes.',
    reason: "Redis's limit for inline commands, and that of most line protocols. The classic echo server has 512.",
  },
  /** Whether a message that is too long closes the connection, or is discarded with an error reply. */
  onTooLong: {
    kind: 'choice',
    default: 'close',
    choices: ['close', 'discard'],
    summary: 'Whether a message that is too long closes the connection, or is discarded with an error reply.',
    reason: 'A peer that exceeds the limit has usually lost the framing too. Twisted and NATS close as well.',
  },
  /** The number of messages accepted per connection; after the last reply it is closed. */
  maxMessages: {
    kind: 'count',
    default: 0,
    off: 'unlimited',
    summary: 'The number of messages accepted per connection; after the last reply it is closed.',
    reason: 'A policy, not a protection: messages that were answered cost nothing. The classic echo server has 1000.',
  },
  /** The rate limit per connection, in messages per second; fractions are allowed. */
  rate: {
    kind: 'rate',
    default: 0,
    off: 'no limit',
    max: 1_000_000_000,
    summary: 'The rate limit per connection, in messages per second; fractions are allowed.',
    reason:
      'Back-pressure already keeps one peer from slowing down another. The classic echo server has one per second.',
  },
  /** Whether messages above the rate wait, or close the connection after a burst of one second's worth. */
  ratePolicy: {
    kind: 'choice',
    default: 'delay',
    choices: ['delay', 'close'],
    summary: "Whether messages above the rate wait, or close the connection after a burst of one second's worth.",
    reason: 'Waiting loses nothing, and is what the classic echo server does.',
  },
  /** The number of messages of one connection that the handler works on at a time. For handlers with `message`. */
  concurrency: {
    kind: 'count',
    default: 1,
    max: 65_536,
    summary:
      'The number of messages of one connection that the handler works on at a time. For handlers with `message`.',
    reason: 'Most protocols expect that a message is handled when the one before it has been.',
  },
  /** With concurrency: whether replies are sent in the order of their messages, or as the calls of the handler finish. */
  replyOrder: {
    kind: 'choice',
    default: 'received',
    choices: ['received', 'finished'],
    summary:
      'With concurrency: whether replies are sent in the order of their messages, or as the calls of the handler finish.',
    reason: 'Clients match replies to requests by their order, unless messages have ids.',
  },
  /** Close a connection over which nothing is received or sent for this long, unless replies are pending. */
  idleTimeout: {
    kind: 'duration',
    default: 300_000,
    max: longestDuration,
    off: 'never',
    summary: 'Close a connection over which nothing is received or sent for this long, unless replies are pending.',
    reason: 'Between Thousand Island (60 s) and nginx (10 min): long enough for a person who is typing.',
  },
  /** Close a connection that does not finish a message within this time of its first byte. */
  messageTimeout: {
    kind: 'duration',
    default: 10_000,
    max: longestDuration,
    off: 'never',
    summary: 'Close a connection that does not finish a message within this time of its first byte.',
    reason: 'Against peers that send one byte at a time. NATS gives a blocked peer 10 s as well.',
  },
  /** Close a connection whose handler neither finishes a call nor sends anything for this long. */
  handlerTimeout: {
    kind: 'duration',
    default: 30_000,
    max: longestDuration,
    off: 'never',
    summary: 'Close a connection whose handler neither finishes a call nor sends anything for this long.',
    reason:
      'The same as requestTimeout of connect(), after which a client has given up. gunicorn uses 30 s, too. The handlers proxy and exec have their own time-outs.',
  },
  /** The time-out for a client's reply to a request of the handler: `session.request`. */
  requestTimeout: {
    kind: 'duration',
    default: 30_000,
    max: longestDuration,
    off: 'never',
    summary: "The time-out for a client's reply to a request of the handler: `session.request`.",
    reason: 'As that of connect(). While a request is pending, handlerTimeout stands still.',
  },
  /** How many requests of the handler to one client may have no reply; further ones are rejected. */
  maxRequestsInFlight: {
    kind: 'count',
    default: 1_000,
    off: 'unlimited',
    summary: 'How many requests of the handler to one client may have no reply; further ones are rejected.',
    reason: 'Each takes about half a kilobyte, and a client that answers none should not cost much.',
  },
  /** Disconnect a peer that reads none of its pending replies for this long. */
  drainTimeout: {
    kind: 'duration',
    default: 10_000,
    max: longestDuration,
    off: 'never',
    summary: 'Disconnect a peer that reads none of its pending replies for this long.',
    reason: 'The write_deadline of NATS.',
  },
  /** Keep reading a closed connection for this long, so that a reset does not destroy the last reply. */
  lingerTimeout: {
    kind: 'duration',
    default: 1_000,
    max: longestDuration,
    off: 'not at all',
    summary: 'Keep reading a closed connection for this long, so that a reset does not destroy the last reply.',
    reason: "Like nginx's lingering_close, but shorter: one second covers a round trip anywhere.",
  },
  /** Stop reading a peer while more than this many bytes are pending in either direction. */
  highWaterMark: {
    kind: 'size',
    default: 65_536,
    max: longestMessage,
    summary: 'Stop reading a peer while more than this many bytes are pending in either direction.',
    reason: "Netty's high-water mark, and the size of one read from a socket.",
  },
  /** The number of rooms that a session may be in at once. */
  maxRoomsPerSession: {
    kind: 'count',
    default: 128,
    off: 'unlimited',
    summary: 'The number of rooms that a session may be in at once.',
    reason: 'As in Centrifugo. Each membership costs about 200 bytes.',
  },
  /** The number of rooms that a session may join per second, with a burst of one second's worth. */
  joinRate: {
    kind: 'rate',
    default: 200,
    max: 1_000_000_000,
    off: 'no limit',
    summary: "The number of rooms that a session may join per second, with a burst of one second's worth.",
    reason: 'More than maxRoomsPerSession, so that a client can join all its rooms at once after it has reconnected.',
  },
} as const satisfies Record<string, OptionSpec>;

/** Limits of one session, all given. See the reference for each. */
export type SessionLimits = ValuesOf<typeof sessionOptions>;
