/** What is said about a bus that is not as it should be. */
import { describe, expect, it } from 'vitest';
import { adviceFor } from '../../../../src/bus/broker/inspect/advice.ts';
import type {
  Inspection,
  JetStreamFacts,
  NatsFacts,
  RedisFacts,
} from '../../../../src/bus/broker/inspect/inspection.ts';
import { isBefore } from '../../../../src/bus/broker/inspect/versions.ts';

const redis: RedisFacts = {
  engine: 'Redis',
  version: '7.2.0',
  mode: 'standalone',
  isReplica: false,
  usedMemory: 1_000_000,
  memoryLimit: 'none',
  evictionPolicy: 'noeviction',
  subscriberLimit: { hard: 33_554_432, soft: 8_388_608, softSeconds: 60 },
  maxValue: 536_870_912,
  appendOnly: true,
  appendFsync: 'always',
  snapshots: '',
};
const jetStream: JetStreamFacts = {
  usedMemory: 0,
  memoryLimit: 'none',
  usedStorage: 0,
  storageLimit: 'none',
  storeDirectory: '/data',
  stream: null,
  sync: 'always',
};
const nats: NatsFacts = {
  engine: 'NATS',
  version: '2.12.5',
  cluster: null,
  maxPayload: 1_048_576,
  maxPending: 67_108_864,
  writeDeadlineMs: 10_000,
  jetStream,
};
const inspection: Inspection = {
  bus: 'Redis at 10.0.0.5:6379',
  prefix: 'yodel',
  tls: true,
  authenticated: true,
  open: false,
  loopback: false,
  rooms: { works: true },
  history: { works: true },
  facts: redis,
  unread: [],
  roundTrips: null,
};

const warningsOf = (changed: Partial<Inspection>) => adviceFor({ ...inspection, ...changed }).warnings;
const ofRedis = (changed: Partial<RedisFacts>) => warningsOf({ facts: { ...redis, ...changed } });
const ofNats = (changed: Partial<NatsFacts>) => warningsOf({ facts: { ...nats, ...changed } });
const ofJetStream = (changed: Partial<JetStreamFacts>) => ofNats({ jetStream: { ...jetStream, ...changed } });

describe('a warning is given', () => {
  it('for nothing, where all is well', () => {
    expect(ofRedis({})).toEqual([]);
    expect(ofNats({})).toEqual([]);
  });

  it('of a way that others can read, or use, unless it is on the same machine', () => {
    expect(warningsOf({ tls: false })).toEqual([expect.stringMatching(/^there is no TLS/)]);
    expect(warningsOf({ authenticated: false, open: null })).toEqual([expect.stringMatching(/^it needs no password/)]);
    expect(warningsOf({ open: true })).toEqual([expect.stringMatching(/^it needs no password/)]);
    expect(warningsOf({ loopback: true, tls: false, authenticated: false, open: true })).toEqual([]);
  });

  it('of a Redis that deletes, disconnects or forgets', () => {
    expect(ofRedis({ evictionPolicy: 'allkeys-lfu' })).toEqual([expect.stringMatching(/once maxmemory is set/)]);
    expect(ofRedis({ evictionPolicy: 'allkeys-lfu', memoryLimit: 1 })).toEqual([expect.stringMatching(/is full/)]);
    expect(ofRedis({ evictionPolicy: 'volatile-lru' })).toEqual([
      expect.stringMatching(/deletes histories .* that expire/),
    ]);
    expect(ofRedis({ subscriberLimit: { hard: 0, soft: 0, softSeconds: 0 } })).toEqual([
      expect.stringMatching(/may take all of its memory/),
    ]);
    expect(ofRedis({ subscriberLimit: { hard: 1000, soft: 0, softSeconds: 0 } })).toEqual([
      expect.stringMatching(/have not read 1000 bytes are disconnected/),
    ]);
    expect(ofRedis({ maxValue: 1_048_575 })).toEqual([expect.stringMatching(/^proto-max-bulk-len 1048575/)]);
    expect(ofRedis({ isReplica: true })).toEqual([expect.stringMatching(/^it is a replica/)]);
  });

  it('of an acknowledgement that is worth less than it seems', () => {
    expect(ofRedis({ appendOnly: false })).toEqual([expect.stringMatching(/everything in histories is lost/)]);
    expect(ofRedis({ appendOnly: false, snapshots: '60 1' })).toEqual([
      expect.stringMatching(/since the last snapshot/),
    ]);
    expect(ofRedis({ appendFsync: 'everysec' })).toEqual([expect.stringMatching(/about the last second/)]);
    expect(ofRedis({ appendFsync: 'no' })).toEqual([expect.stringMatching(/about the last half minute/)]);
    expect(ofJetStream({ sync: 120_000 })).toEqual([expect.stringMatching(/every 120 s/)]);
    expect(ofJetStream({ sync: 'interval' })).toEqual([expect.stringMatching(/at intervals/)]);
  });

  it('of a NATS that is old, small, or has no space', () => {
    expect(ofNats({ version: '2.12.4' })).toEqual([
      expect.stringMatching(/^JetStream of NATS 2\.12\.4 has known faults/),
    ]);
    expect(ofNats({ version: '2.12.4', jetStream: null })).toEqual([]);
    expect(ofNats({ maxPayload: 4096 })).toEqual([expect.stringMatching(/^max_payload 4096 is small/)]);
    expect(ofJetStream({ storageLimit: 0 })).toEqual([expect.stringMatching(/has no storage/)]);
    expect(ofJetStream({ stream: { name: 'a-store', storage: 'memory', replicas: 3 } })).toEqual([
      expect.stringMatching(/^the stream a-store is in memory/),
    ]);
    expect(ofJetStream({ stream: { name: 'a-store', storage: 'file', replicas: 3 } })).toEqual([]);
  });

  it('of nothing that is not known', () => {
    const unknown = { memoryLimit: null, evictionPolicy: null, subscriberLimit: null, maxValue: null, isReplica: null };
    expect(ofRedis({ ...unknown, version: null, appendOnly: null, appendFsync: null, snapshots: null })).toEqual([]);
    expect(ofJetStream({ sync: null, storageLimit: null, usedStorage: null })).toEqual([]);
    expect(ofNats({ version: null, maxPayload: null })).toEqual([]);
  });

  it('and what does not work at all is a problem', () => {
    const refused = { works: false, reason: 'NOPERM' };
    expect(adviceFor({ ...inspection, rooms: refused, history: refused })).toEqual({
      problems: ['rooms do not work: NOPERM'],
      warnings: ['rooms cannot keep a history: NOPERM'],
    });
  });
});

it.each([
  ['2.9.10', true],
  ['2.12.4', true],
  ['v2.12.4-beta', true],
  ['1.99.99', true],
  ['2.12.5', false],
  ['2.13', false],
  ['3.0.0-rc.1', false],
  ['unknown', false],
])('version %s is before 2.12.5: %s', (version, expected) => {
  expect(isBefore(version, [2, 12, 5])).toBe(expected);
});
