/** Times as text: for people in the local time zone, for programs in UTC. */

/** A time of day as `12:34:56.789`. */
export function formatTimeOfDay(date: Date): string {
  const second = `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}:${twoDigits(date.getSeconds())}`;
  return `${second}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** A date and time as `2026-01-31 12:34:56.789`. */
export function formatLocalTime(date: Date): string {
  const day = `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
  return `${day} ${formatTimeOfDay(date)}`;
}

/** A time in milliseconds since 1970 as `2026-01-31T12:34:56.789Z`; null if the number is not a valid time. */
export function isoTime(time: number): string | null {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
