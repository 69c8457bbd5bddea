/** Points in time as values of flags. */
import { InvalidArgumentError } from 'commander';
import { parseQuantity } from '../../format/units.ts';

/**
 * Parses `2026-01-31`, `2026-01-31T12:00`, `2026-01-31 12:00:00.5Z`, or `10m` for ten minutes ago. Without a time zone it
 * is local time.
 *
 * @returns milliseconds since 1970
 * @throws InvalidArgumentError for anything else
 */
export function parseMoment(text: string, now = Date.now()): number {
  const ago = parseQuantity('duration', text);
  if (ago !== undefined) return now - ago;
  // Date.parse takes a date alone as UTC, but a date with a time as local time.
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const isTime = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/.test(text);
  const time = Date.parse(isDay ? `${text}T00:00` : text);
  if ((!isDay && !isTime) || Number.isNaN(time)) {
    throw new InvalidArgumentError('It takes a time such as 2026-01-31T12:00, or how long ago: 10m.');
  }
  return time;
}
