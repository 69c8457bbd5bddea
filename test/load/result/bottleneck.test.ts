import { expect, test } from 'vitest';
import { bottleneckReason, type GeneratorSigns } from '../../../src/load/result/bottleneck.ts';

const idle: GeneratorSigns = {
  seconds: 10,
  cpu: 0.5,
  threads: 1,
  cores: 4,
  latenessP99: null,
  latencyP99: null,
  targetRate: null,
  sentRate: 100_000,
};
const paced: GeneratorSigns = { ...idle, latenessP99: 0.1, targetRate: 1000, sentRate: 1000 };

test('a generator that has time to spare is not the bottleneck', () => {
  expect(bottleneckReason(idle)).toBeNull();
  expect(bottleneckReason(paced)).toBeNull();
});

test('a closed loop that uses its whole core may be the bottleneck, and more processes are advised', () => {
  expect(bottleneckReason({ ...idle, cpu: 0.97 })).toMatch(/used 97 % of a core: .*--threads 2/);
});

test('without more cores, another machine is advised', () => {
  expect(bottleneckReason({ ...idle, cpu: 0.97, threads: 4 })).toMatch(/a machine with more cores/);
});

test('a run of a few milliseconds is too short to judge the generator', () => {
  expect(bottleneckReason({ ...idle, cpu: 1, seconds: 0.05 })).toBeNull();
});

test('an open loop that sends late is reported with its lateness', () => {
  expect(bottleneckReason({ ...paced, latenessP99: 3.21 })).toMatch(/1 % of the messages at least 3\.2 ms late/);
});

test('an open loop whose lateness is small compared with the latencies is not the bottleneck', () => {
  expect(bottleneckReason({ ...paced, latenessP99: 3.21, latencyP99: 553 })).toBeNull();
  expect(bottleneckReason({ ...paced, latenessP99: 3.21, latencyP99: 5 })).not.toBeNull();
});

test('an open loop that misses the target rate is reported with the rate it reached', () => {
  expect(bottleneckReason({ ...paced, cpu: 0.99, sentRate: 700 })).toMatch(/only 700 of 1000 messages a second/);
});

test('a server that does not keep up with the rate does not make the generator the bottleneck', () => {
  expect(bottleneckReason({ ...paced, sentRate: 1000, cpu: 0.3 })).toBeNull();
});
