/** Which messages and sessions of a journal are selected. */
import { isIPv6 } from 'node:net';
import { YodelError } from '../errors.ts';
import type { JournalQuery } from './journal.ts';

export type SessionQuery = Pick<JournalQuery, 'since' | 'until' | 'peer' | 'session'>;

/** @throws YodelError `YODEL_INVALID_OPTION` for values of the wrong type */
export function checkQuery(query: JournalQuery): JournalQuery {
  for (const name of ['from', 'to', 'since', 'until', 'session'] as const) {
    const value: unknown = query[name];
    if (value === undefined || (typeof value === 'number' && !Number.isNaN(value))) continue;
    throw new YodelError('YODEL_INVALID_OPTION', `the query's "${name}" takes a number, not ${String(value)}`);
  }
  const { direction, peer } = query;
  if (direction !== undefined && direction !== 'in' && direction !== 'out') {
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `the query's "direction" takes "in" or "out", not ${String(direction)}`,
    );
  }
  return peer !== undefined && isIPv6(peer) ? { ...query, peer: `[${peer}]` } : query;
}

export function isSelected(
  { direction, time }: { readonly direction: number; readonly time: number },
  { direction: selected, since, until }: JournalQuery,
): boolean {
  if (selected !== undefined && (selected === 'in' ? 0 : 1) !== direction) return false;
  return (since === undefined || time >= since) && (until === undefined || time < until);
}
