import { expect, test } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatCountOf,
  formatLatency,
  formatRate,
  formatSeconds,
  formatShare,
} from '../../src/format/figures.ts';

test.each([
  [0, '0 µs'],
  [0.0004, '0.400 µs'],
  [0.0312, '31.2 µs'],
  [0.4123, '412 µs'],
  [0.99949, '999 µs'],
  [0.9997, '1.00 ms'],
  [1.3149, '1.31 ms'],
  [13.149, '13.1 ms'],
  [999.4, '999 ms'],
  [999.7, '1.00 s'],
  [61_000, '61.0 s'],
  [5_000_000, '5,000 s'],
])('%d ms is shown as %s', (milliseconds, shown) => {
  expect(formatLatency(milliseconds)).toBe(shown);
});

test.each([
  [0, '0/s'],
  [0.5, '0.500/s'],
  [12.345, '12.3/s'],
  [999.6, '1,000/s'],
  [48_213.7, '48,200/s'],
  [1_234_567, '1,230,000/s'],
])('a rate of %d is shown as %s', (rate, shown) => {
  expect(formatRate(rate)).toBe(shown);
});

test('counts keep all their digits', () => {
  expect(formatCount(1_234_567_890_123)).toBe('1,234,567,890,123');
  expect(formatCountOf(1, 'reply', 'replies')).toBe('1 reply');
  expect(formatCountOf(2000, 'reply', 'replies')).toBe('2,000 replies');
  expect(formatCountOf(0, 'message')).toBe('0 messages');
});

test.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [1000, '1,000 bytes'],
  [1024, '1.00 KiB'],
  [30_829_120, '29.4 MiB'],
  [2 ** 70, '1,050,000 PiB'],
])('%d bytes are shown as %s', (bytes, shown) => {
  expect(formatBytes(bytes)).toBe(shown);
});

test.each([
  [0.25, '250 ms'],
  [10.003, '10 s'],
  [12.34, '12.3 s'],
  [59.97, '1 min'],
  [90, '1 min 30 s'],
  [3600, '1 h'],
  [7500, '2 h 5 min'],
])('%d seconds are shown as %s', (seconds, shown) => {
  expect(formatSeconds(seconds)).toBe(shown);
});

test.each([
  [0, 5, '0 %'],
  [0, 0, '0 %'],
  [1, 3, '33.3 %'],
  [1, 1, '100 %'],
  [1, 1_000_000, '<0.1 %'],
  [999_999, 1_000_000, '>99.9 %'],
  [12, 1, '1,200 %'],
])('%d of %d is shown as %s: 0 %% and 100 %% only if exact', (part, whole, shown) => {
  expect(formatShare(part, whole)).toBe(shown);
});
