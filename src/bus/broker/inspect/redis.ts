/** What Redis says about itself, and may be used for. */
import type { Redis } from 'ioredis';
import type { RedisBroker } from '../redis.ts';
import type { Ability, RedisFacts } from './inspection.ts';
import { silent, stepMs, unavailable, within } from './passage.ts';

/** What is found out over a connection of its own. */
export interface RedisReport {
  readonly facts: RedisFacts;
  readonly unread: readonly string[];
  readonly open: boolean | null;
  readonly history: Ability;
}

/** @param subject below the prefix, for trying what is allowed. @throws YodelError `YODEL_BUS_UNAVAILABLE` */
export async function inspectRedis(
  broker: RedisBroker,
  { prefix, subject }: { readonly prefix: string; readonly subject: string },
): Promise<RedisReport> {
  const client = broker.client();
  const lost = failureOf(client);
  try {
    await within(stepMs, Promise.race([client.connect(), lost]), silent).catch((error) => {
      throw unavailable(broker.name, broker.explained(error));
    });
    const reader = new Reader(client);
    const facts = await within(stepMs, readFacts(reader), silent).catch((error) => {
      throw unavailable(broker.name, error);
    });
    const history = await within(stepMs, broker.tryHistory(client, prefix), silent).then(() => works, failed);
    return { facts, history, unread: reader.unread, open: await isOpen(broker, subject) };
  } finally {
    client.disconnect();
  }
}

/** ioredis reports why a connection failed as an event, and rejects with less. */
function failureOf(client: Redis): Promise<never> {
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  client.on('error', failure.reject);
  return failure.promise;
}

/** Runs commands that may not be allowed. */
class Reader {
  readonly unread: string[] = [];
  readonly #client: Redis;

  constructor(client: Redis) {
    this.#client = client;
  }

  /** The fields of INFO. */
  async info(): Promise<ReadonlyMap<string, string>> {
    const text = String((await this.#call('INFO')) ?? '');
    const fields = text.split(/\r?\n/).map((line) => /^(\w+):(.*)$/.exec(line));
    return new Map(fields.flatMap((field) => (field ? [[field[1] as string, field[2] as string] as const] : [])));
  }

  /** The values of settings. Those that the server does not have are left out. */
  async settings(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const name of names) {
      // Before Redis 7, one at a time.
      const pairs = await this.#call('CONFIG', 'GET', name);
      if (pairs === undefined) break;
      const [, value] = Array.isArray(pairs) ? pairs : Object.entries(pairs as object).flat();
      if (value !== undefined) found.set(name, String(value));
    }
    return found;
  }

  async #call(command: string, ...args: string[]): Promise<unknown> {
    try {
      return await this.#client.call(command, ...args);
    } catch (error) {
      this.unread.push(`${[command, ...args.slice(0, 1)].join(' ')}: ${(error as Error).message}`);
      return undefined;
    }
  }
}

async function readFacts(reader: Reader): Promise<RedisFacts> {
  const info = await reader.info();
  const settings = await reader.settings([
    'appendonly',
    'appendfsync',
    'save',
    'client-output-buffer-limit',
    'proto-max-bulk-len',
    'maxmemory',
    'maxmemory-policy',
  ]);
  const get = (field: string, setting: string) => info.get(field) ?? settings.get(setting);
  const appendOnly = settings.get('appendonly') ?? info.get('aof_enabled');
  const maxMemory = numberOf(get('maxmemory', 'maxmemory'));
  return {
    ...engineOf(info),
    mode: info.get('redis_mode') ?? null,
    isReplica: info.has('role') ? info.get('role') !== 'master' : null,
    usedMemory: numberOf(info.get('used_memory')),
    memoryLimit: maxMemory === 0 ? 'none' : maxMemory,
    evictionPolicy: get('maxmemory_policy', 'maxmemory-policy') ?? null,
    subscriberLimit: subscriberLimitOf(settings.get('client-output-buffer-limit')),
    maxValue: numberOf(settings.get('proto-max-bulk-len')),
    appendOnly: appendOnly === undefined ? null : appendOnly === 'yes' || appendOnly === '1',
    appendFsync: settings.get('appendfsync') ?? null,
    snapshots: settings.get('save') ?? null,
  };
}

/** Others that speak its protocol report the version of Redis that they are compatible with, and their own. */
function engineOf(info: ReadonlyMap<string, string>): { readonly engine: string; readonly version: string | null } {
  const others = { Valkey: 'valkey_version', Dragonfly: 'dragonfly_version', KeyDB: 'keydb_version' };
  for (const [engine, field] of Object.entries(others)) {
    const version = info.get(field);
    if (version !== undefined) return { engine, version };
  }
  return { engine: 'Redis', version: info.get('redis_version') ?? null };
}

/** @param limits of all classes of clients: `normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60` */
function subscriberLimitOf(limits: string | undefined): RedisFacts['subscriberLimit'] {
  const [, hard, soft, softSeconds] = /pubsub (\d+) (\d+) (\d+)/.exec(limits ?? '') ?? [];
  if (hard === undefined) return null;
  return { hard: Number(hard), soft: Number(soft), softSeconds: Number(softSeconds) };
}

function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

/** Whether clients without credentials may publish below the prefix. */
async function isOpen(broker: RedisBroker, subject: string): Promise<boolean | null> {
  const stranger = broker.client({ isAnonymous: true });
  const lost = failureOf(stranger);
  const publish = async () => {
    await stranger.connect();
    await stranger.publish(subject, 'probe');
    return true;
  };
  try {
    return await within(stepMs, Promise.race([publish(), lost]), silent);
  } catch (error) {
    return isRefusal(error) ? false : null;
  } finally {
    stranger.disconnect();
  }
}

function isRefusal(error: unknown): boolean {
  return /NOAUTH|NOPERM|WRONGPASS|DENIED/.test((error as Error).message);
}

const works: Ability = { works: true };

function failed(error: unknown): Ability {
  return { works: false, reason: (error as Error).message };
}
