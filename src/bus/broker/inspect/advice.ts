/** What is wrong with a bus, and what is not as it should be. */
import type { Inspection, JetStreamFacts, NatsFacts, RedisFacts } from './inspection.ts';
import { isBefore } from './versions.ts';

/** The result. */
export interface Advice {
  /** Why it cannot be used. */
  readonly problems: readonly string[];
  /** What may cost messages, or safety. */
  readonly warnings: readonly string[];
}

/** Redis takes packets of this length, and NATS what it takes less a header. */
const longestPacket = 1_048_576;

/** What should be changed, the most important first. */
export function adviceFor(inspection: Inspection): Advice {
  const { rooms, history, facts } = inspection;
  const problems = rooms.works ? [] : [`rooms do not work: ${rooms.reason}`];
  const ofHistory = history.works ? [] : [`rooms cannot keep a history: ${history.reason}`];
  const ofEngine = facts.engine === 'NATS' ? ofNats(facts as NatsFacts) : ofRedis(facts as RedisFacts);
  return { problems, warnings: [...ofAccess(inspection), ...ofHistory, ...ofEngine] };
}

function ofAccess({ loopback, tls, authenticated, open }: Inspection): string[] {
  if (loopback) return [];
  const warnings: string[] = [];
  if (!tls) warnings.push('there is no TLS: anyone who can read the network can read the messages of all rooms');
  if (!authenticated || open === true) {
    warnings.push('it needs no password: anyone who can reach it can speak as any member');
  }
  return warnings;
}

function ofRedis(facts: RedisFacts): string[] {
  return [...ofReplication(facts), ...ofEviction(facts), ...ofSubscriberLimit(facts), ...ofPersistence(facts)];
}

function ofReplication({ isReplica }: RedisFacts): string[] {
  if (isReplica !== true) return [];
  return ['it is a replica: what is published here reaches no subscriber of its primary; use the primary'];
}

function ofEviction({ evictionPolicy, memoryLimit }: RedisFacts): string[] {
  if (evictionPolicy === null || evictionPolicy === 'noeviction') return [];
  // With storedAge histories expire, and this is what the other policies delete.
  const what = evictionPolicy.startsWith('allkeys-') ? 'the histories of rooms' : 'histories of rooms that expire';
  const when = memoryLimit === 'none' ? 'once maxmemory is set and reached' : 'when its memory is full';
  return [`its eviction policy ${evictionPolicy} deletes ${what} ${when}: use maxmemory-policy noeviction`];
}

function ofSubscriberLimit({ subscriberLimit, maxValue }: RedisFacts): string[] {
  const warnings: string[] = [];
  if (subscriberLimit?.hard === 0 && subscriberLimit.soft === 0) {
    warnings.push(
      'a subscriber that does not read may take all of its memory: set client-output-buffer-limit pubsub 32mb 8mb 60',
    );
  } else if (subscriberLimit && subscriberLimit.hard > 0 && subscriberLimit.hard < 4 * longestPacket) {
    warnings.push(
      `servers that have not read ${subscriberLimit.hard} bytes are disconnected, which a single message may be: raise client-output-buffer-limit pubsub`,
    );
  }
  if (maxValue !== null && maxValue < longestPacket) {
    warnings.push(`proto-max-bulk-len ${maxValue} is less than a packet of ${longestPacket} bytes`);
  }
  return warnings;
}

function ofPersistence({ appendOnly, appendFsync, snapshots }: RedisFacts): string[] {
  if (appendOnly === null) return [];
  if (!appendOnly) {
    const lost =
      snapshots === ''
        ? 'everything in histories is lost when it restarts'
        : 'what histories were sent since the last snapshot is lost when it fails';
    return [`appendonly is off: ${lost}, although it was acknowledged`];
  }
  if (appendFsync === null || appendFsync === 'always') return [];
  const seconds = appendFsync === 'everysec' ? 'about the last second' : 'about the last half minute';
  return [`appendfsync is ${appendFsync}: ${seconds} of what it acknowledged is lost when its machine fails`];
}

function ofNats({ version, jetStream, maxPayload }: NatsFacts): string[] {
  const warnings: string[] = [];
  if (maxPayload !== null && maxPayload < 65_536) {
    warnings.push(`max_payload ${maxPayload} is small: longer messages travel in many pieces`);
  }
  if (!jetStream) return warnings;
  if (version !== null && isBefore(version, [2, 12, 5])) {
    warnings.push(
      `JetStream of NATS ${version} has known faults that lose messages, or let others in; use 2.12.5 or newer`,
    );
  }
  return [...warnings, ...ofSync(jetStream), ...ofSpace(jetStream)];
}

function ofSync({ sync }: JetStreamFacts): string[] {
  if (sync === 'always' || sync === null) return [];
  const interval = sync === 'interval' ? 'at intervals' : `every ${sync / 1000} s`;
  return [
    `JetStream syncs its files ${interval}, not before it acknowledges: what it acknowledged since is lost when its machine fails`,
  ];
}

function ofSpace({ storageLimit, stream }: JetStreamFacts): string[] {
  if (storageLimit === 0) return ['JetStream has no storage: histories cannot be kept on disk'];
  if (stream?.storage !== 'memory') return [];
  return [`the stream ${stream.name} is in memory: everything in histories is lost when its servers restart`];
}
