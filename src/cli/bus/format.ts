/** How `yodel bus check` prints what it found out. */
import type { Advice } from '../../bus/broker/inspect/advice.ts';
import type {
  Ability,
  Inspection,
  JetStreamFacts,
  Limit,
  NatsFacts,
  RedisFacts,
  RoundTrips,
} from '../../bus/broker/inspect/inspection.ts';
import { formatBytes, formatCountOf, formatDuration, formatLatency } from '../../format/figures.ts';
import { escapeText } from '../../terminal/escape.ts';
import type { Paint } from '../../terminal/style.ts';

type Row = readonly [label: string, text: string];

/** As text, with a line for each topic, and one for each warning and problem. */
export function formatInspection(inspection: Inspection, advice: Advice, paint: Paint): string {
  const { facts } = inspection;
  const ofEngine = facts.engine === 'NATS' ? natsRows(facts as NatsFacts) : redisRows(facts as RedisFacts);
  const rows: Row[] = [
    ['engine', engine(inspection)],
    ['connection', connection(inspection)],
    ['rooms', ability(inspection.rooms, `messages pass below "${inspection.prefix}."`)],
    ['histories', ability(inspection.history, 'allowed')],
    ...ofEngine,
    ['round trip', roundTrips(inspection.roundTrips)],
    ...inspection.unread.map((what) => ['not read', what] as const),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  // What a server says about itself is not trusted.
  const lines = rows.map(([label, text]) => `${paint('dim', label.padEnd(width))}  ${escapeText(text)}`);
  const warnings = advice.warnings.map((text) => `${paint('yellow', 'warning:')} ${escapeText(text)}`);
  const problems = advice.problems.map((text) => `${paint('red', 'problem:')} ${escapeText(text)}`);
  return [...lines, ...warnings, ...problems, ''].join('\n');
}

function engine({ bus, facts }: Inspection): string {
  const { engine: name, version } = facts;
  // The name of a broker begins with the kind that its address says.
  const where = bus.slice(bus.indexOf(' at ') + 1);
  return `${name} ${version ?? '(version unknown)'} ${where}${facts.engine === 'NATS' ? cluster(facts as NatsFacts) : kind(facts as RedisFacts)}`;
}

function cluster({ cluster: name }: NatsFacts): string {
  return name === null ? '' : `, in the cluster ${name}`;
}

function kind({ mode, isReplica }: RedisFacts): string {
  const role = isReplica === null ? [] : [isReplica ? 'a replica' : 'a primary'];
  return [mode, ...role].flatMap((part) => (part === null ? [] : `, ${part}`)).join('');
}

function connection({ tls, authenticated, open, loopback }: Inspection): string {
  const others =
    open === true ? 'lets everyone in' : open === false ? 'lets nobody in without credentials' : 'others: unknown';
  return [
    tls ? 'TLS' : 'no TLS',
    authenticated ? 'with credentials' : 'without credentials',
    others,
    ...(loopback ? ['only from this machine'] : []),
  ].join(', ');
}

function ability({ works, reason }: Ability, text: string): string {
  return works ? text : `no: ${reason}`;
}

function roundTrips(trips: RoundTrips | null): string {
  if (!trips) return 'unknown';
  const { count, p50Ms, p99Ms, maxMs } = trips;
  const [p50, p99, max] = [p50Ms, p99Ms, maxMs].map(formatLatency);
  return `p50 ${p50}, p99 ${p99}, max ${max}, of ${formatCountOf(count, 'message')} from one connection to another`;
}

function redisRows(facts: RedisFacts): Row[] {
  const { usedMemory, memoryLimit, evictionPolicy, subscriberLimit, maxValue } = facts;
  const used = usedMemory === null ? '' : `${formatBytes(usedMemory)} in use, `;
  return [
    ['memory', `${used}maxmemory ${limit(memoryLimit)}, eviction policy ${evictionPolicy ?? 'unknown'}`],
    ['limits', `${subscriber(subscriberLimit)}; longest value ${bytes(maxValue)}`],
    ['persistence', persistence(facts)],
  ];
}

function subscriber(limits: RedisFacts['subscriberLimit']): string {
  if (limits === null) return 'slow subscribers: unknown';
  const { hard, soft, softSeconds } = limits;
  if (hard === 0 && soft === 0) return 'slow subscribers are never disconnected';
  const parts = [
    ...(hard === 0 ? [] : [`above ${formatBytes(hard)}`]),
    ...(soft === 0 ? [] : [`above ${formatBytes(soft)} for ${softSeconds} s`]),
  ];
  return `slow subscribers are disconnected ${parts.join(', or ')}`;
}

function persistence({ appendOnly, appendFsync, snapshots }: RedisFacts): string {
  const file =
    appendOnly === null
      ? 'append-only file unknown'
      : appendOnly
        ? `append-only file, synced ${appendFsync ?? 'unknown'}`
        : 'no append-only file';
  const saved = snapshots === null ? 'unknown' : snapshots === '' ? 'none' : snapshotTimes(snapshots);
  return `${file}; snapshots ${saved}`;
}

/** @param pairs seconds and changes: `3600 1 300 100` */
function snapshotTimes(pairs: string): string {
  const times = [...pairs.matchAll(/(\d+) (\d+)/g)];
  const texts = times.map(
    ([, seconds, changes]) => `after ${seconds} s with ${formatCountOf(Number(changes), 'change')}`,
  );
  return texts.length > 0 ? texts.join(', ') : pairs;
}

function natsRows({ maxPayload, maxPending, writeDeadlineMs, jetStream }: NatsFacts): Row[] {
  const deadline = writeDeadlineMs === null ? '' : `, or after ${formatDuration(writeDeadlineMs)}`;
  const slow = maxPending === null ? 'unknown' : `disconnected above ${formatBytes(maxPending)}${deadline}`;
  return [
    ['limits', `longest message ${bytes(maxPayload)}; slow subscribers: ${slow}`],
    ['persistence', jetStream === null ? 'JetStream is not enabled' : jetStreamText(jetStream)],
  ];
}

function jetStreamText({ storeDirectory, sync, stream, ...space }: JetStreamFacts): string {
  const parts = [
    `JetStream: memory ${usage(space.usedMemory, space.memoryLimit)}`,
    `storage ${usage(space.usedStorage, space.storageLimit)}`,
    `in ${storeDirectory ?? 'an unknown directory'}`,
    `synced ${syncText(sync)}`,
    ...(stream
      ? [`stream ${stream.name} in ${stream.storage}, ${formatCountOf(stream.replicas ?? 1, 'replica')}`]
      : []),
  ];
  return parts.join(', ');
}

function syncText(sync: JetStreamFacts['sync']): string {
  if (sync === null) return 'unknown (every 2 min, unless configured)';
  if (sync === 'always') return 'before each acknowledgement';
  return sync === 'interval' ? 'at intervals' : `every ${formatDuration(sync)}`;
}

function usage(used: number | null, most: Limit): string {
  return used === null ? 'unknown' : `${formatBytes(used)} of ${most === 'none' ? 'any' : bytes(most)}`;
}

function limit(value: Limit): string {
  return value === 'none' ? 'unlimited' : bytes(value);
}

function bytes(value: number | null): string {
  return value === null ? 'unknown' : formatBytes(value);
}
