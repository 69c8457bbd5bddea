/** Finds out what someone who sets up a cluster should know of its bus. */
import { randomBytes } from 'node:crypto';
import { YodelError } from '../../../errors.ts';
import type { BusSettings } from '../../open.ts';
import { hasAccessControl, isLoopbackBroker } from '../address.ts';
import { NatsBroker } from '../nats.ts';
import type { RedisBroker } from '../redis.ts';
import type { Inspection } from './inspection.ts';
import { inspectNats } from './nats.ts';
import { tryPassage } from './passage.ts';
import { inspectRedis } from './redis.ts';

/**
 * Connects, tries what servers do below the prefix, and disconnects. It uses names of its own, `PREFIX.check.RANDOM`, and leaves
 * nothing.
 *
 * @param monitor the URL of the monitoring page of NATS, if there is one
 * @throws YodelError `YODEL_BUS_UNAVAILABLE`; for the page `YODEL_INVALID_ADDRESS`, `YODEL_INVALID_OPTION`, `YODEL_NETWORK`
 */
export async function inspectBus({ address, broker, prefix }: BusSettings, monitor?: string): Promise<Inspection> {
  const subject = `${prefix}.check.${randomBytes(8).toString('hex')}`;
  const { tls = false, ...report } = await reportOf(broker, { prefix, subject }, monitor);
  const { ability, roundTrips } = await tryPassage(broker, subject);
  return {
    bus: broker.name,
    prefix,
    tls: tls || address.tls !== undefined,
    authenticated: hasAccessControl(address),
    loopback: isLoopbackBroker(address),
    rooms: ability,
    roundTrips,
    ...report,
  };
}

async function reportOf(
  broker: BusSettings['broker'],
  { prefix, subject }: { readonly prefix: string; readonly subject: string },
  monitor: string | undefined,
): Promise<Pick<Inspection, 'facts' | 'unread' | 'open' | 'history'> & { readonly tls?: boolean }> {
  if (broker instanceof NatsBroker) return await inspectNats(broker, { prefix, inbox: `${subject}.inbox` }, monitor);
  if (monitor !== undefined) {
    throw new YodelError('YODEL_INVALID_OPTION', 'only NATS has a monitoring page; Redis reports everything itself');
  }
  return await inspectRedis(broker as RedisBroker, { prefix, subject });
}
