/** What is known of a bus, as plain data: `yodel bus check` prints it. */

/** Whether something works, as far as it was tried. */
export interface Ability {
  readonly works: boolean;
  /** Why it does not. */
  readonly reason?: string | undefined;
}

/** A limit in bytes. null: not known. */
export type Limit = number | 'none' | null;

/** How long messages took from one connection over the bus to another one, in milliseconds. */
export interface RoundTrips {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What Redis, or what speaks its protocol, says about itself. null: it may not be read, or does not exist there. */
export interface RedisFacts {
  readonly engine: string;
  readonly version: string | null;
  /** `standalone`, `cluster` or `sentinel`. */
  readonly mode: string | null;
  readonly isReplica: boolean | null;
  readonly usedMemory: number | null;
  readonly memoryLimit: Limit;
  readonly evictionPolicy: string | null;
  /** A subscriber that has not read as many bytes is disconnected: above `hard` at once, above `soft` after some seconds. 0: never. */
  readonly subscriberLimit: { readonly hard: number; readonly soft: number; readonly softSeconds: number } | null;
  /** The longest value of a command, in bytes. */
  readonly maxValue: number | null;
  readonly appendOnly: boolean | null;
  /** When the append-only file is synced to disk: `always`, `everysec` or `no`. */
  readonly appendFsync: string | null;
  /** When snapshots are saved, as pairs of seconds and changes: `3600 1 300 100`. Empty: never. */
  readonly snapshots: string | null;
}

/** What NATS says about itself. null: it does not say it to clients, and its monitoring page was not given. */
export interface NatsFacts {
  readonly engine: 'NATS';
  readonly version: string | null;
  /** The name of its cluster. */
  readonly cluster: string | null;
  /** The longest message, in bytes. */
  readonly maxPayload: number | null;
  /** A client that has not read as many bytes, or nothing for so long, is disconnected. */
  readonly maxPending: number | null;
  readonly writeDeadlineMs: number | null;
  readonly jetStream: JetStreamFacts | null;
}

/** What JetStream keeps, where, and how safely. */
export interface JetStreamFacts {
  readonly usedMemory: number | null;
  readonly memoryLimit: Limit;
  readonly usedStorage: number | null;
  readonly storageLimit: Limit;
  readonly storeDirectory: string | null;
  /** Where the histories of rooms are; null if there are none yet. */
  readonly stream: StreamFacts | null;
  /** When files are synced to disk: before each acknowledgement, every so many milliseconds, or at intervals that are not known. */
  readonly sync: 'always' | 'interval' | number | null;
}

/** A stream of JetStream. */
export interface StreamFacts {
  readonly name: string;
  /** `file` or `memory`. */
  readonly storage: string | null;
  readonly replicas: number | null;
}

/** Everything that was found out. */
export interface Inspection {
  /** Its kind and address, without credentials. */
  readonly bus: string;
  readonly prefix: string;
  readonly tls: boolean;
  /** Whether a password or the like was given. */
  readonly authenticated: boolean;
  /** Whether it also lets in those who give none. null: not known. */
  readonly open: boolean | null;
  /** Whether only its own machine can reach it, as far as the address says. */
  readonly loopback: boolean;
  /** Whether rooms work: messages were sent below the prefix, and have arrived. */
  readonly rooms: Ability;
  /** Whether histories work, in which messages outlast the servers. */
  readonly history: Ability;
  readonly facts: RedisFacts | NatsFacts;
  /** What could not be read, and why. */
  readonly unread: readonly string[];
  /** null: none arrived. */
  readonly roundTrips: RoundTrips | null;
}
