/** Times of day as people read them, in the local time zone. */

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

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
