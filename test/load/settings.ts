/** Settings of a load test, for tests. */
import type { LoadSettings } from '../../src/load/plan.ts';

export function settingsOf(own: Partial<LoadSettings> = {}): LoadSettings {
  return {
    address: 'tcp://127.0.0.1:1',
    framing: 'lines',
    tls: {},
    connections: 4,
    pipeline: 1,
    rate: null,
    count: null,
    durationMs: 100,
    messages: { size: 64 },
    replies: 'echo',
    connectTimeoutMs: 5000,
    timeoutMs: 5000,
    threads: 1,
    ...own,
  };
}
