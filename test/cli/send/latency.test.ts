import { expect, test } from 'vitest';
import { formatTimes, formatTimesAsJson, Latency } from '../../../src/cli/send/latency.ts';
import { Histogram } from '../../../src/load/histogram.ts';

/** A latency display with a clock that the test advances. */
function open(replaces: boolean, windowMs = Number.POSITIVE_INFINITY) {
  let at = 1000;
  const format = (times: Histogram, seconds: number) => `${times.count} in ${seconds}`;
  const latency = new Latency({ windowMs, replaces, format, now: () => at });
  return {
    latency,
    add(afterMs: number): string {
      at += afterMs;
      return latency.add(1);
    },
  };
}

const upAndErase = '\x1b[A\r\x1b[K';

test('on a terminal one line is replaced, ten times a second', () => {
  const { latency, add } = open(true);
  expect([add(10), add(10), add(80), add(10), add(200)]).toEqual([
    '1 in 0.01\n',
    '',
    '',
    `${upAndErase}4 in 0.11\n`,
    `${upAndErase}5 in 0.31\n`,
  ]);
  expect(latency.end(true)).toBe(`${upAndErase}5 in 0.31\n`);
});

test('what was printed below the line meanwhile, such as an error, is not erased', () => {
  const { latency, add } = open(true);
  add(10);
  expect(latency.end(false)).toBe('1 in 0.01\n');
});

test('in a pipe only the last line is printed', () => {
  const { latency, add } = open(false);
  expect([add(10), add(500), add(500)]).toEqual(['', '', '']);
  expect(latency.end(true)).toBe('3 in 1.01\n');
});

test('without a sample nothing is printed', () => {
  expect(open(true).latency.end(true)).toBe('');
});

test('a history has a line for each period, and one for the rest', () => {
  const piped = open(false, 1000);
  expect([piped.add(400), piped.add(400), piped.add(400), piped.add(400)]).toEqual(['', '', '2 in 1.2\n', '']);
  expect(piped.latency.end(true)).toBe('2 in 0.4\n');
  const drawn = open(true, 1000);
  expect([drawn.add(400), drawn.add(700), drawn.add(200)]).toEqual([
    '1 in 0.4\n',
    `${upAndErase}1 in 1.1\n1 in 0\n`,
    `${upAndErase}2 in 0.2\n`,
  ]);
});

test('the line has minimum, average, 99th percentile, maximum and the number of samples', () => {
  const times = new Histogram();
  for (const ms of [1, 2, 3]) times.record(ms);
  expect(formatTimes(times, 1.26)).toMatch(/^min 1\.00, avg 2\.00, p99 [\d.]+, max 3\.00 ms \(3 samples in 1\.3 s\)$/);
  expect(JSON.parse(formatTimesAsJson(times, 1.26))).toMatchObject({
    samples: 3,
    minMs: 1,
    avgMs: expect.closeTo(2, 1),
    maxMs: 3,
    seconds: 1.26,
  });
});
