/** What NATS says about itself, and may be used for. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { NatsBroker } from '../nats.ts';
import type { Ability, JetStreamFacts, Limit, NatsFacts, StreamFacts } from './inspection.ts';
import { requestMs, tryHistories } from './nats-histories.ts';
import { type MonitorPage, monitorPage } from './nats-monitor.ts';
import { unavailable } from './passage.ts';
import { isBefore } from './versions.ts';

/** What is found out over a connection of its own. */
export interface NatsReport {
  readonly facts: NatsFacts;
  readonly unread: readonly string[];
  readonly open: boolean | null;
  readonly history: Ability;
  /** Whether the server demands TLS: then it is used, whatever the address says. */
  readonly tls: boolean;
}

/**
 * @param prefix that of the bus
 * @param inbox a subject below it, for replies
 * @param monitor the URL of the monitoring page, if there is one
 * @throws YodelError `YODEL_BUS_UNAVAILABLE`, `YODEL_NETWORK` if the page cannot be read
 */
export async function inspectNats(
  broker: NatsBroker,
  { prefix, inbox }: { readonly prefix: string; readonly inbox: string },
  monitor?: string,
): Promise<NatsReport> {
  const page = monitor === undefined ? undefined : await monitorPage(monitor);
  const connection = await broker.open({ inboxPrefix: inbox }).catch((error) => {
    throw unavailable(broker.name, error);
  });
  try {
    const info = connection.info as ServerInfo;
    const isOther = page !== undefined && page.server_id !== info.server_id;
    const unread = isOther ? ['the monitoring page is that of another server'] : [];
    const histories = await tryHistories(connection, prefix);
    const account = info.jetstream === true ? await readAccount(connection, unread) : undefined;
    return {
      facts: factsOf(info, isOther ? undefined : page, { account, stream: histories.stream }),
      unread,
      open: info.auth_required !== true,
      tls: info.tls_required === true,
      history: histories.ability,
    };
  } finally {
    await connection.close();
  }
}

/** What NATS tells each client. */
interface ServerInfo {
  readonly server_id: string;
  readonly version?: string;
  readonly cluster?: string;
  readonly max_payload?: number;
  readonly jetstream?: boolean;
  readonly auth_required?: boolean;
  readonly tls_required?: boolean;
}

/** What JetStream tells of an account. */
interface Account {
  readonly memory?: number;
  readonly storage?: number;
  readonly limits?: { readonly max_memory?: number; readonly max_storage?: number };
  readonly error?: { readonly description?: string };
}

/** @param unread gets why it may not be read, if it may not */
async function readAccount(connection: NatsConnection, unread: string[]): Promise<Account | undefined> {
  try {
    const account = (await connection.request('$JS.API.INFO', '', { timeout: requestMs })).json<Account>();
    if (!account.error) return account;
    unread.push(`JetStream: ${account.error.description}`);
  } catch (error) {
    unread.push(`JetStream: ${(error as Error).message}`);
  }
  return undefined;
}

/** What JetStream says to this user. */
interface JetStreamReport {
  readonly account: Account | undefined;
  readonly stream: StreamFacts | null;
}

function factsOf(info: ServerInfo, page: MonitorPage | undefined, report: JetStreamReport): NatsFacts {
  const version = info.version ?? null;
  return {
    engine: 'NATS',
    version,
    cluster: info.cluster ?? null,
    maxPayload: info.max_payload ?? null,
    maxPending: page?.max_pending ?? null,
    writeDeadlineMs: page?.write_deadline === undefined ? null : page.write_deadline / 1e6,
    jetStream: info.jetstream === true ? jetStreamOf(version, report, page?.jetstream?.config) : null,
  };
}

/** What the monitoring page says of the configuration of JetStream. */
type JetStreamConfig = NonNullable<NonNullable<MonitorPage['jetstream']>['config']>;

function jetStreamOf(
  version: string | null,
  { account, stream }: JetStreamReport,
  config: JetStreamConfig | undefined,
): JetStreamFacts {
  return {
    stream,
    usedMemory: account?.memory ?? null,
    memoryLimit: smaller(account?.limits?.max_memory, config?.max_memory),
    usedStorage: account?.storage ?? null,
    storageLimit: smaller(account?.limits?.max_storage, config?.max_storage),
    storeDirectory: config?.store_dir ?? null,
    sync: syncOf(version, config),
  };
}

/** Neither the account nor the server may have more. The account has no limit of its own if it is -1. */
function smaller(ofAccount: number | undefined, ofServer: number | undefined): Limit {
  const limits = [ofAccount, ofServer].filter((limit) => limit !== undefined && limit >= 0) as number[];
  if (limits.length > 0) return Math.min(...limits);
  return ofAccount === undefined ? null : 'none';
}

function syncOf(version: string | null, config: JetStreamConfig | undefined): JetStreamFacts['sync'] {
  if (config?.sync_always === true) return 'always';
  if (config?.sync_interval !== undefined) return config.sync_interval / 1e6;
  // Before that it could not be configured.
  return version !== null && isBefore(version, [2, 10, 0]) ? 'interval' : null;
}
