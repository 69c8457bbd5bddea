import { expect, test } from 'vitest';
import { readRounds } from '../../../src/cli/send/repeat-flags.ts';

const forever = Number.POSITIVE_INFINITY;

test('without a flag the messages are sent once', () => {
  expect(readRounds({ interval: 1000 }, false)).toBeUndefined();
});

test('each mode has its own pause, unless --interval is given', () => {
  expect(readRounds({ repeat: 3, interval: 0 }, false)).toMatchObject({ mode: 'print', times: 3, intervalMs: 0 });
  expect(readRounds({ watch: true, interval: 0 }, false)).toMatchObject({ times: forever, intervalMs: 1000 });
  expect(readRounds({ latency: true, interval: 0 }, false)).toMatchObject({ intervalMs: 10, windowMs: forever });
  expect(readRounds({ latency: true, interval: 50 }, false)).toMatchObject({ intervalMs: 50 });
});

test('a flag without its value has no limit, or the default', () => {
  expect(readRounds({ repeat: true }, false)).toMatchObject({ times: forever });
  expect(readRounds({ latencyHistory: true }, false)).toMatchObject({ mode: 'latency', windowMs: 15_000 });
  expect(readRounds({ latencyHistory: 500 }, false)).toMatchObject({ windowMs: 500 });
});

test('in a pipe the latency is measured for a second, unless it is said how long', () => {
  expect(readRounds({ latency: true }, true)).toMatchObject({ forMs: 1000 });
  expect(readRounds({ latency: true }, false)).toMatchObject({ forMs: forever });
  expect(readRounds({ latency: true, repeat: 5000 }, true)).toMatchObject({ forMs: forever });
  expect(readRounds({ latencyHistory: 100 }, true)).toMatchObject({ forMs: forever });
});
