/** What NATS says about itself, and may be used for. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { NatsBroker } from '../nats.ts';
import type { Ability, JetStreamFacts, Limit, NatsFacts } from './inspection.ts';
import { monitorPage } from './nats-monitor.ts';
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

/** How long the API of JetStream may take. */
const requestMs = 2000;

/**
 * @param inbox a subject below the prefix, for replies
 * @param monitor the URL of the monitoring page, if there is one
 * @throws YodelError `YODEL_BUS_UNAVAILABLE`, `YODEL_NETWORK` if the page cannot be read
 */
export async function inspectNats(broker: NatsBroker, inbox: string, monitor?: string): Promise<NatsReport> {
  const page = monitor === undefined ? undefined : await monitorPage(monitor);
  const connection = await broker.open({ inboxPrefix: inbox }).catch((error) => {
    throw unavailable(broker.name, error);
  });
  try {
    const info = connection.info as ServerInfo;
    const isOther = page !== undefined && page.server_id !== info.server_id;
    const config = isOther ? undefined : page;
    const { account, history } = await readAccount(connection, info);
    const version = info.version ?? null;
    return {
      facts: {
        engine: 'NATS',
        version,
        cluster: info.cluster ?? null,
        maxPayload: info.max_payload ?? null,
        maxPending: config?.max_pending ?? null,
        writeDeadlineMs: config?.write_deadline === undefined ? null : config.write_deadline / 1e6,
        jetStream: info.jetstream === true ? jetStreamOf(version, account, config?.jetstream?.config) : null,
      },
      unread: isOther ? ['the monitoring page is that of another server'] : [],
      open: info.auth_required !== true,
      tls: info.tls_required === true,
      history,
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

async function readAccount(
  connection: NatsConnection,
  { jetstream }: ServerInfo,
): Promise<{ readonly account: Account | undefined; readonly history: Ability }> {
  if (jetstream !== true) return { account: undefined, history: { works: false, reason: 'JetStream is not enabled' } };
  try {
    const reply = await connection.request('$JS.API.INFO', '', { timeout: requestMs });
    const account = reply.json<Account>();
    const reason = account.error?.description;
    return { account, history: reason === undefined ? { works: true } : { works: false, reason } };
  } catch (error) {
    return { account: undefined, history: { works: false, reason: (error as Error).message } };
  }
}

/** What the monitoring page says of the configuration of JetStream. */
type JetStreamConfig = NonNullable<NonNullable<Awaited<ReturnType<typeof monitorPage>>['jetstream']>['config']>;

function jetStreamOf(
  version: string | null,
  account: Account | undefined,
  config: JetStreamConfig | undefined,
): JetStreamFacts {
  return {
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
