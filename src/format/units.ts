/** Numbers with units on the command line: `10s`, `64KiB`, `100/s`. */
import type { OptionKind } from '../option-values.ts';

/** What an option of each kind takes, for errors and help. */
export const unitForms: Record<Exclude<OptionKind, 'choice'>, string> = {
  count: 'a whole number such as 1000 or 10k',
  size: 'a size such as 512, 64KiB or 1MB',
  duration: 'a time such as 500ms, 10s or 5m',
  rate: 'a rate such as 1/s, 30/m or 50k/s',
};

const sizes: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
};
const durations: Record<string, number> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const multiples: Record<string, number> = { '': 1, k: 1000, m: 1_000_000 };
const perSecond: Record<string, number> = { '': 1, s: 1, sec: 1, m: 60, min: 60, h: 3600 };

/**
 * Parses a number with its unit: bytes, milliseconds, messages per second, or a count. `off` is 0.
 *
 * @returns undefined if it is not valid
 */
export function parseQuantity(kind: Exclude<OptionKind, 'choice'>, text: string): number | undefined {
  if (/^(0|off)$/i.test(text)) return 0;
  const [, digits, unit = '', per] = /^(\d+(?:\.\d+)?) ?([a-z]*)(?:\/([a-z]*))?$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  if (kind === 'rate') {
    const seconds = perSecond[(per ?? '').toLowerCase()];
    return product(digits, multiples[unit.toLowerCase()], seconds && 1 / seconds);
  }
  if (per !== undefined) return undefined;
  const table = { count: multiples, size: sizes, duration: durations }[kind];
  const value = product(digits, table[unit.toLowerCase()]);
  return value !== undefined && Number.isInteger(value) ? value : undefined;
}

/** The shortest exact form of a value, which {@link parseQuantity} reads. */
export function formatQuantity(kind: Exclude<OptionKind, 'choice'>, value: number): string {
  if (kind === 'rate') return `${value}/s`;
  if (value === 0 || kind === 'count') return String(value);
  const units =
    kind === 'size'
      ? ([
          ['MiB', 1024 ** 2],
          ['KiB', 1024],
        ] as const)
      : ([
          ['h', 3_600_000],
          ['m', 60_000],
          ['s', 1000],
          ['ms', 1],
        ] as const);
  for (const [unit, factor] of units) if (value % factor === 0) return `${value / factor}${unit}`;
  return String(value);
}

function product(digits: string, ...factors: (number | undefined)[]): number | undefined {
  let value = Number(digits);
  for (const factor of factors) {
    if (factor === undefined) return undefined;
    value *= factor;
  }
  return value;
}
