/** Times of day that flags take. */
import { InvalidArgumentError } from 'commander';
import { parseQuantity } from '../../format/units.ts';

/**
 * Milliseconds since 1970 of `2026-01-31`, `2026-01-31T12:00`, `2026-01-31 12:00:00.5Z` or of `10m`, which is ten minutes
 * ago. Without a zone it is the local time.
 */
export function parseMoment(text: string, now = Date.now()): number {
  const ago = parseQuantity('duration', text);
  if (ago !== undefined) return now - ago;
  // A day alone would be one of UTC, a day with a time a local one.
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const isTime = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/.test(text);
  const time = Date.parse(isDay ? `${text}T00:00` : text);
  if ((!isDay && !isTime) || Number.isNaN(time)) {
    throw new InvalidArgumentError('It takes a time such as 2026-01-31T12:00, or how long ago: 10m.');
  }
  return time;
}
