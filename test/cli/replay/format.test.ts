/** The result of a replay, as it is printed. */
import { expect, it } from 'vitest';
import { formatResult, formatResultJson } from '../../../src/cli/replay/format.ts';
import { Histogram } from '../../../src/load/histogram.ts';
import type { ReplayResult } from '../../../src/replay/result.ts';

/** A replay of three messages with three replies, of which `measured` have a latency. */
function resultOf(measured: number, changed: Partial<ReplayResult> = {}): ReplayResult {
  const latency = new Histogram();
  for (let count = 0; count < measured; count++) latency.record(2);
  const counts = { sessions: 1, open: 0, sent: 3, compared: 3, equal: 3, received: 3, differences: 0, elapsedMs: 10 };
  return { ...counts, found: [], latency, recordedLatency: latency, ...changed };
}

const plan = { sessions: 1, sends: 3, expects: 3 };

it('says for how many messages there is a latency, unless for all', () => {
  expect(formatResult(resultOf(3), plan)).toMatch(/^latency {3}now {7}p50 .*\n {10}recorded {2}p50 .*\n$/m);
  expect(formatResult(resultOf(3), plan)).not.toContain(' for ');
  expect(formatResult(resultOf(1), plan)).toMatch(/\n {10}for 1 of 3 messages; the others got no reply as recorded/);
});

it.each([
  [{}, plan, 'no reply followed a single message'],
  [{ equal: 0 }, plan, 'no reply was as recorded'],
  [{ equal: 0, received: 0 }, plan, 'nothing was received'],
  [{ equal: 0, compared: 0 }, { ...plan, expects: 0 }, 'no reply was recorded'],
  [{ sent: 0 }, { ...plan, sends: 0 }, 'nothing was sent'],
])('says why there is no latency at all: %j', (changed, size, reason) => {
  const result = resultOf(0, changed);
  expect(formatResult(result, size)).toContain(`latency   not measured, because ${reason}`);
  const json = JSON.parse(formatResultJson(result, size)) as Record<string, unknown>;
  expect(json).toMatchObject({ measured: 0, latencyMs: null, recordedLatencyMs: null });
  expect(json.unmeasured).toMatch(reason);
});
