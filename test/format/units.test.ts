import { expect, test } from 'vitest';
import { formatQuantity, parseQuantity } from '../../src/format/units.ts';
import { fc } from '../support/fast-check.ts';

test.each([
  ['size', '512', 512],
  ['size', '64KiB', 65_536],
  ['size', '64k', 65_536],
  ['size', '1MB', 1_000_000],
  ['size', '1.5KiB', 1536],
  ['duration', '500ms', 500],
  ['duration', '10s', 10_000],
  ['duration', '1.5s', 1500],
  ['duration', '5m', 300_000],
  ['duration', '1h', 3_600_000],
  ['duration', '0', 0],
  ['duration', 'off', 0],
  ['count', '1000', 1000],
  ['count', '10k', 10_000],
  ['rate', '1/s', 1],
  ['rate', '30/m', 0.5],
  ['rate', '50k/s', 50_000],
  ['rate', '100', 100],
] as const)('a %s of %s is %d', (kind, text, value) => {
  expect(parseQuantity(kind, text)).toBe(value);
});

test.each([
  ['duration', '10'],
  ['duration', '10 parsecs'],
  ['duration', '-1s'],
  ['duration', ''],
  ['size', '1.5'],
  ['size', '10/s'],
  ['size', 'many'],
  ['count', '1.5'],
  ['count', '0x10'],
  ['rate', 'nonsense'],
  ['rate', '1/fortnight'],
  ['rate', '/s'],
] as const)('a %s of "%s" is refused', (kind, text) => {
  expect(parseQuantity(kind, text)).toBeUndefined();
});

test('every formatted quantity parses to the same value', () => {
  const kind = fc.constantFrom('size' as const, 'duration' as const, 'count' as const);
  fc.assert(
    fc.property(kind, fc.nat(), (kind, value) => {
      expect(parseQuantity(kind, formatQuantity(kind, value))).toBe(value);
    }),
  );
});
