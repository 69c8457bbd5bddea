/**
 * Every limit and its default, once. The library's types, the command line's flags, the environment's names and the
 * reference page are all made from these tables.
 *
 * Times are milliseconds, sizes are bytes, rates are messages a second; 0 is off where `off` says what that means.
 */
import { YodelError } from './errors.ts';

/** What kind of number (or word) an option takes: it decides the unit, and how the command line reads it. */
export type OptionKind = 'count' | 'size' | 'duration' | 'rate' | 'choice';

/** One row of the option tables. */
export interface OptionSpec {
  readonly kind: OptionKind;
  readonly default: number | string;
  /** What the option does, in one sentence. */
  readonly summary: string;
  /** Why the default is what it is. */
  readonly reason: string;
  /** What 0 means. Without it, 0 is refused. */
  readonly off?: string;
  /** The largest value that is taken. */
  readonly max?: number;
  /** The option's name on the command line and in the environment, where it is not the name itself. */
  readonly flag?: string;
  /** The words a `choice` takes. */
  readonly choices?: readonly string[];
}

/** Timers of both runtimes take 32-bit milliseconds; a longer delay would fire at once. */
export const longestDuration = 2_147_483_647;
// One message must fit one buffer.
const longestMessage = 1_073_741_824;

/** Limits of one session: they hold for each connection of a server on its own. */
export const sessionOptions = {
  /** The longest message that is taken, in bytes, its delimiter or length field not counted. */
  maxMessageLength: {
    kind: 'size',
    flag: 'max-message',
    default: 65_536,
    max: longestMessage,
    summary: 'The longest message that is taken, in bytes, its delimiter or length field not counted.',
    reason: "Redis' inline limit and nearly every line protocol's; the classic program's is 512.",
  },
  /** What a too long message does: it closes the connection, or is discarded with an error reply. */
  onTooLong: {
    kind: 'choice',
    default: 'close',
    choices: ['close', 'discard'],
    summary: 'What a too long message does: it closes the connection, or is discarded with an error reply.',
    reason: 'A peer that breaks the limit has most often lost the framing too; Twisted and NATS close as well.',
  },
  /** How many messages one connection is served; after the last reply it is closed. */
  maxMessages: {
    kind: 'count',
    default: 0,
    off: 'any number',
    summary: 'How many messages one connection is served; after the last reply it is closed.',
    reason:
      'A count of messages costs no memory, so it is a policy and not a protection; the classic program has 1000.',
  },
  /** The pace of one connection, in messages a second; fractions are allowed. */
  rate: {
    kind: 'rate',
    default: 0,
    off: 'no pace',
    max: 1_000_000_000,
    summary: 'The pace of one connection, in messages a second; fractions are allowed.',
    reason: 'Back-pressure already keeps one peer from slowing another; the classic program has one a second.',
  },
  /** What happens to a peer above the rate: its messages wait, or it is closed after a burst of one second's worth. */
  ratePolicy: {
    kind: 'choice',
    default: 'delay',
    choices: ['delay', 'close'],
    summary:
      "What happens to a peer above the rate: its messages wait, or it is closed after a burst of one second's worth.",
    reason: 'To wait is what the classic program does, and loses nothing.',
  },
  /** How long a peer may send nothing while nothing is owed to it. */
  idleTimeout: {
    kind: 'duration',
    default: 300_000,
    max: longestDuration,
    off: 'for ever',
    summary: 'How long a peer may send nothing while nothing is owed to it.',
    reason: 'Between Thousand Island (60 s) and nginx (10 min): long enough for a person who thinks.',
  },
  /** How long a peer may take from the first byte of a message to its last. */
  messageTimeout: {
    kind: 'duration',
    default: 10_000,
    max: longestDuration,
    off: 'for ever',
    summary: 'How long a peer may take from the first byte of a message to its last.',
    reason: 'Against peers that drip bytes; NATS gives a blocked peer 10 s as well.',
  },
  /** How long a peer that has replies waiting may take none of them. */
  drainTimeout: {
    kind: 'duration',
    default: 10_000,
    max: longestDuration,
    off: 'for ever',
    summary: 'How long a peer that has replies waiting may take none of them.',
    reason: "NATS' write_deadline.",
  },
  /** How long a closed connection is still read, so that its last reply is not destroyed by a reset. */
  lingerTimeout: {
    kind: 'duration',
    default: 1_000,
    max: longestDuration,
    off: 'not at all',
    summary: 'How long a closed connection is still read, so that its last reply is not destroyed by a reset.',
    reason: "nginx' lingering_close, but short: one second covers a round trip anywhere.",
  },
  /** Above this many bytes waiting, in either direction, the session stops reading its peer. */
  highWaterMark: {
    kind: 'size',
    default: 65_536,
    max: longestMessage,
    summary: 'Above this many bytes waiting, in either direction, the session stops reading its peer.',
    reason: "Netty's high water mark; one read of a socket gives as much.",
  },
} as const satisfies Record<string, OptionSpec>;

/** Limits of a server as a whole. */
export const serverOptions = {
  /** How many connections are served at once; further ones are told so and closed. */
  maxConnections: {
    kind: 'count',
    default: 10_000,
    summary: 'How many connections are served at once; further ones are told so and closed.',
    reason: "Redis' maxclients; one connection costs a few kilobytes.",
  },
  /** How many connections one address may have at once (of IPv6: the first 64 bits of it). */
  maxConnectionsPerAddress: {
    kind: 'count',
    default: 0,
    off: 'as many as maxConnections',
    summary: 'How many connections one address may have at once (of IPv6: the first 64 bits of it).',
    reason: 'A whole company may come from one address, and maxConnections holds in any case.',
  },
  /** How often one address may connect, in connections a second, with a burst of one second's worth. */
  connectionRate: {
    kind: 'rate',
    default: 0,
    off: 'any pace',
    max: 1_000_000_000,
    summary: "How often one address may connect, in connections a second, with a burst of one second's worth.",
    reason: 'As for maxConnectionsPerAddress; a connection that was refused costs little.',
  },
  /** How many bytes may wait in all sessions together; above 3/4 of it greedy peers are not read, above it they are broken off. */
  maxPendingBytes: {
    kind: 'size',
    default: 268_435_456,
    summary:
      'How many bytes may wait in all sessions together; above 3/4 of it greedy peers are not read, above it they are broken off.',
    reason: 'A fraction of the memory of a small machine, and a thousand times what one ordinary session may hold.',
  },
  /** How long what stands before the first message may take: TLS, WebSocket, a PROXY header. */
  handshakeTimeout: {
    kind: 'duration',
    default: 5_000,
    max: longestDuration,
    off: 'for ever',
    summary: 'How long what stands before the first message may take: TLS, WebSocket, a PROXY header.',
    reason: "ranch's and Thousand Island's; NATS has 2 s.",
  },
  /** How long the operating system's queue of connections not yet accepted may get. */
  backlog: {
    kind: 'count',
    default: 1_024,
    max: 65_535,
    summary: "How long the operating system's queue of connections not yet accepted may get.",
    reason: 'ranch and Thousand Island; the operating system may cap it (net.core.somaxconn).',
  },
  /** How long a shutdown goes on accepting connections after it is known that the server ends (readiness is off). */
  drainDelay: {
    kind: 'duration',
    default: 0,
    max: longestDuration,
    off: 'not at all',
    summary:
      'How long a shutdown goes on accepting connections after it is known that the server ends (readiness is off).',
    reason: 'Only a load balancer needs it, to notice; it is 5 to 15 s there.',
  },
  /** How long a shutdown waits for its sessions before it breaks them off. */
  shutdownTimeout: {
    kind: 'duration',
    default: 15_000,
    max: longestDuration,
    off: 'break off at once',
    summary: 'How long a shutdown waits for its sessions before it breaks them off.',
    reason: "Thousand Island's; process managers kill after 30 to 90 s.",
  },
} as const satisfies Record<string, OptionSpec>;

/** What a journal is opened with. */
export const journalOptions = {
  /** What a reply promises of its message: that the disk has it, that the operating system has it, or nothing. */
  durability: {
    kind: 'choice',
    default: 'full',
    choices: ['full', 'normal', 'off'],
    summary:
      'What a reply promises of its message: that the disk has it, that the operating system has it, or nothing.',
    reason:
      'Whoever asks for a journal wants to find in it what was answered; the others are for those who have measured.',
  },
  /** Above this many bytes the oldest messages are deleted. */
  maxSize: {
    kind: 'size',
    default: 0,
    off: 'as large as the disk',
    max: Number.MAX_SAFE_INTEGER,
    summary: 'Above this many bytes the oldest messages are deleted.',
    reason: 'Nothing that was promised to be kept is deleted unasked; a full disk is told to the clients.',
  },
  /** Messages that are older are deleted. */
  maxAge: {
    kind: 'duration',
    default: 0,
    off: 'kept for ever',
    max: Number.MAX_SAFE_INTEGER,
    summary: 'Messages that are older are deleted.',
    reason: 'As for the size.',
  },
  /** Of a longer message only so many bytes are recorded, and that it is truncated. */
  maxMessage: {
    kind: 'size',
    default: 0,
    off: 'all of it',
    max: longestMessage,
    summary: 'Of a longer message only so many bytes are recorded, and that it is truncated.',
    reason: 'What is answered should be there whole; maxMessageLength has limited it already.',
  },
} as const satisfies Record<string, OptionSpec>;

/** All limits that a server is given: of its sessions, and its own. */
export const serveLimits = { ...sessionOptions, ...serverOptions } as const;

/** Limits of a client. */
export const clientOptions = {
  /** The longest message that is taken, in bytes, its delimiter or length field not counted. */
  maxMessageLength: {
    kind: 'size',
    default: 16_777_216,
    max: longestMessage,
    summary: 'The longest message that is taken, in bytes, its delimiter or length field not counted.',
    reason: 'A client has chosen its server; the limit only keeps a broken one from filling the memory.',
  },
  /** How long making a connection may take. */
  connectTimeout: {
    kind: 'duration',
    default: 10_000,
    max: longestDuration,
    off: 'as long as the operating system tries',
    summary: 'How long making a connection may take.',
    reason: 'ioredis and ncat.',
  },
  /** How long a request may wait for its reply. */
  requestTimeout: {
    kind: 'duration',
    default: 30_000,
    max: longestDuration,
    off: 'for ever',
    summary: 'How long a request may wait for its reply.',
    reason: 'The half minute after which callers up the line give up as well.',
  },
  /** How long a closing client waits for the peer to end its side. */
  closeTimeout: {
    kind: 'duration',
    default: 5_000,
    max: longestDuration,
    off: 'break off at once',
    summary: 'How long a closing client waits for the peer to end its side.',
    reason: 'Replies under way arrive within a few round trips.',
  },
  /** Above this many bytes of messages that nobody has taken, the client stops reading its peer. */
  highWaterMark: {
    kind: 'size',
    default: 1_048_576,
    max: longestMessage,
    summary: 'Above this many bytes of messages that nobody has taken, the client stops reading its peer.',
    reason: 'A client has one connection, a server thousands: it can afford more than the server.',
  },
} as const satisfies Record<string, OptionSpec>;

/** Limits of a client's reconnecting. */
export const reconnectOptions = {
  /** The wait before the first new attempt; it doubles with each failed one. */
  minDelay: {
    kind: 'duration',
    default: 50,
    max: longestDuration,
    summary: 'The wait before the first new attempt; it doubles with each failed one.',
    reason: "ioredis' first step: a restarted server is found again at once.",
  },
  /** The longest wait between two attempts. */
  maxDelay: {
    kind: 'duration',
    default: 5_000,
    max: longestDuration,
    summary: 'The longest wait between two attempts.',
    reason: "ioredis' and nats' order of size.",
  },
  /** How many attempts may fail in a row before the client gives up. */
  maxAttempts: {
    kind: 'count',
    default: 20,
    off: 'any number',
    summary: 'How many attempts may fail in a row before the client gives up.',
    reason: 'About a minute and a half with the other defaults: a restart fits in, a dead host does not hang for ever.',
  },
} as const satisfies Record<string, OptionSpec>;

/** A value for each option of a table: numbers, or one of the words of a choice. */
export type ValuesOf<Table extends Record<string, OptionSpec>> = {
  -readonly [Name in keyof Table]: Table[Name] extends { readonly choices: readonly (infer Word)[] } ? Word : number;
};

/** The same options, all of which may be left out. */
export type OptionalValues<Values> = { readonly [Name in keyof Values]?: Values[Name] | undefined };

/** Limits of one session, all given. See the reference for each. */
export type SessionLimits = ValuesOf<typeof sessionOptions>;
/** Limits of a server, all given. See the reference for each. */
export type ServerLimits = ValuesOf<typeof serverOptions>;
/** Limits of a client, all given. See the reference for each. */
export type ClientLimits = ValuesOf<typeof clientOptions>;
/** Limits of a client's reconnecting, all given. */
export type ReconnectLimits = ValuesOf<typeof reconnectOptions>;

/**
 * Takes the options of one table out of `given`, checks them, and fills in the defaults. Other names are left alone:
 * {@link refuseUnknown} looks after them.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function resolveOptions<Table extends Record<string, OptionSpec>>(
  table: Table,
  given: { readonly [Name in keyof Table]?: unknown },
): ValuesOf<Table> {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) {
    const value = given[name];
    if (value !== undefined) checkOption(name, spec, value);
    values[name] = value ?? spec.default;
  }
  return values as ValuesOf<Table>;
}

/**
 * Refuses names that no option has, and suggests the nearest one.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function refuseUnknown(given: object, known: readonly string[], where: string): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    throw new YodelError('YODEL_INVALID_OPTION', `${where} has no option "${name}". ${hintFor(name, known)}`);
  }
}

/** What to say of a name that is not known. */
export function hintFor(name: string, known: readonly string[]): string {
  const nearest = nearestWord(name, known);
  return nearest === undefined ? `Known are: ${known.join(', ')}` : `Did you mean "${nearest}"?`;
}

/** The word of `words` that is most like `word`, if one is near enough to be meant. */
export function nearestWord(word: string, words: readonly string[]): string | undefined {
  const near = words
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return near && near.distance <= Math.max(2, word.length / 3) ? near.candidate : undefined;
}

/** What decides whether a value is allowed. */
type AllowedValues = Pick<OptionSpec, 'kind' | 'off' | 'max' | 'choices'>;

/**
 * Refuses a value that the option does not take.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`, saying what it takes
 */
export function checkOption(name: string, spec: AllowedValues, value: unknown): void {
  const refuse = (right: string): never => {
    const shown = typeof value === 'string' ? `"${value}"` : String(value);
    throw new YodelError('YODEL_INVALID_OPTION', `the option "${name}" takes ${right}, not ${shown}`);
  };
  if (spec.choices) {
    if (!spec.choices.includes(value as string)) refuse(`"${spec.choices.join('" or "')}"`);
    return;
  }
  const whole = spec.kind !== 'rate';
  const max = spec.max ?? Number.MAX_SAFE_INTEGER;
  const right = `a ${whole ? 'whole ' : ''}number ${spec.off ? 'from 0 (off)' : whole ? 'from 1' : 'above 0'} to ${max}`;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || value > max) return refuse(right);
  if ((whole && !Number.isInteger(value)) || (value === 0 && spec.off === undefined)) refuse(right);
}

/** Levenshtein's distance, one row at a time (R. Wagner and M. Fischer, 1974). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
