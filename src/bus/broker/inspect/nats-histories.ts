/** Tries whether NATS lets a user keep the histories of rooms in JetStream. Nothing is created, and nothing is written. */
import type { NatsConnection } from '@nats-io/transport-node';
import { notEnabled, streamName } from '../jetstream/stream.ts';
import type { Ability, StreamFacts } from './inspection.ts';

/** The result. */
export interface NatsHistories {
  readonly ability: Ability;
  /** The stream of the histories; null: there is none yet, or it may not be looked at. */
  readonly stream: StreamFacts | null;
}

/** How long the API of JetStream may take. */
export const requestMs = 5000;

/** An answer of the API. */
interface Reply {
  readonly error?: { readonly err_code?: number; readonly description?: string };
  readonly config?: { readonly storage?: string; readonly num_replicas?: number };
}

/** JetStream is not enabled at all, or not for this account. */
const notEnabledCodes: readonly (number | undefined)[] = [10039, 10076];

/** Requests of the API that servers make. What they ask for here does not exist, so that they change nothing. */
function otherRequests(stream: string): string[] {
  return [
    `STREAM.CREATE.${stream}`,
    `STREAM.MSG.GET.${stream}`,
    `DIRECT.GET.${stream}`,
    `CONSUMER.CREATE.${stream}`,
    `CONSUMER.MSG.NEXT.${stream}.none`,
    `CONSUMER.DELETE.${stream}.none`,
  ];
}

/** @param prefix that of the bus */
export async function tryHistories(connection: NatsConnection, prefix: string): Promise<NatsHistories> {
  const name = streamName(prefix);
  try {
    const info = await request(connection, `STREAM.INFO.${name}`);
    if (!info || notEnabledCodes.includes(info.error?.err_code)) return without(notEnabled);
    for (const subject of otherRequests(name)) await checkAllowed(connection, subject);
    const { storage, num_replicas: replicas } = info.config ?? {};
    const stream = info.config && { name, storage: storage ?? null, replicas: replicas ?? null };
    return { ability: { works: true }, stream: stream ?? null };
  } catch (error) {
    return without((error as Error).message);
  }
}

function without(reason: string): NatsHistories {
  return { ability: { works: false, reason }, stream: null };
}

/** @returns undefined if nobody answers. @throws Error if it is not allowed, or takes too long */
async function request(connection: NatsConnection, subject: string): Promise<Reply | undefined> {
  try {
    return (await connection.request(`$JS.API.${subject}`, '', { timeout: requestMs })).json<Reply>();
  } catch (error) {
    if (/no responders/.test((error as Error).message)) return undefined;
    throw error;
  }
}

/** Whether anything comes back does not matter: the server says before the end of a round trip if it is not allowed. */
async function checkAllowed(connection: NatsConnection, subject: string): Promise<void> {
  // No request of the API is this text, so that none is carried out.
  const refusal = connection.request(`$JS.API.${subject}`, 'probe', { timeout: requestMs }).then(
    () => undefined,
    (error: Error) => (/permission/i.test(error.message) ? error : undefined),
  );
  const refused = await Promise.race([refusal, connection.flush().then(() => new Promise(setImmediate))]);
  if (refused instanceof Error) throw refused;
}
