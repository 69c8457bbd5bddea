/** SECURITY.md has every limit of a server with its default. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { shownDefault } from '../../src/cli/flags.ts';
import type { OptionSpec } from '../../src/option-values.ts';
import { serveLimits } from '../../src/options.ts';

const page = readFileSync(new URL('../../SECURITY.md', import.meta.url), 'utf8');

/** Limits that do not protect from a client: policies, and settings of the operator. */
const notLimits = [
  'onTooLong',
  'replyOrder',
  'ratePolicy',
  'roomBehind',
  'roomHistory',
  'backlog',
  'drainDelay',
  'startTimeout',
];

test('SECURITY.md has every limit of a server with its default', () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| ([\w/]+) \|/gm)].map(([, name, value]) => `${name}: ${value}`);
  const limits = Object.entries(serveLimits as Record<string, OptionSpec>).filter(
    ([name]) => !notLimits.includes(name),
  );
  expect(rows.sort()).toEqual(limits.map(([name, spec]) => `${name}: ${shownDefault(spec)}`).sort());
});
