/** Numbers formatted for people: three significant digits, a suitable unit, thousands separated. */

/** Created on first use: it takes milliseconds, which a server need not spend at its start. */
let grouped: Intl.NumberFormat | undefined;

/** A time as `412 µs`, `1.31 ms` or `2.05 s`. */
export function formatLatency(milliseconds: number): string {
  // Rounded before the unit is chosen: 999.7 µs becomes 1.00 ms, not 1,000 µs.
  const rounded = Number(milliseconds.toPrecision(3));
  if (rounded >= 1000) return `${threeDigits(rounded / 1000)} s`;
  if (rounded >= 1) return `${threeDigits(rounded)} ms`;
  return rounded === 0 ? '0 µs' : `${threeDigits(rounded * 1000)} µs`;
}

/** A measured rate as `48,200/s`. */
export function formatRate(perSecond: number): string {
  return `${threeDigits(perSecond)}/s`;
}

/** A whole or configured number with all its digits: `482,013`. */
export function formatCount(count: number): string {
  grouped ??= new Intl.NumberFormat('en', { maximumFractionDigits: 3 });
  return grouped.format(count);
}

/** A count with its noun in a report: `1 message`, `2,000 messages`. */
export function formatCountOf(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

/** A count with its noun in a log line or an error, where digits are not grouped: `1 message`, `2000 messages`. */
export function formatPlural(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** An amount as `512 bytes` or `29.4 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  if (bytes < 1024) return formatCountOf(Number.isInteger(bytes) ? bytes : Number(bytes.toPrecision(3)), 'byte');
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  return `${threeDigits(bytes / 1024 ** power)} ${units[power - 1]}`;
}

/** A measured duration: `10 s`, `1 min 30 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 59.95) return seconds < 1 ? formatLatency(seconds * 1000) : `${Number(seconds.toPrecision(3))} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return inTwoUnits(whole, 60, 'min', 's');
  return inTwoUnits(Math.round(seconds / 60), 60, 'h', 'min');
}

/** A configured duration in the unit it was most likely given in: `10 s`, `1500 ms`. */
export function formatDuration(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000} s` : `${milliseconds} ms`;
}

/** A part of a whole as `99.9 %`. `0 %` and `100 %` are exact: a little more or less is `<0.1 %` or `>99.9 %`. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %';
  const percent = (part / whole) * 100;
  if (percent < 0.05) return '<0.1 %';
  if (percent < 100 && percent >= 99.95) return '>99.9 %';
  return percent < 1000 ? `${Number(percent.toFixed(1))} %` : `${formatCount(Math.round(percent))} %`;
}

/** Three significant digits, without an exponent. */
function threeDigits(value: number): string {
  const rounded = Number(value.toPrecision(3));
  if (rounded === 0) return '0';
  if (rounded >= 100) return formatCount(rounded);
  return rounded.toFixed(rounded >= 10 ? 1 : rounded >= 1 ? 2 : 3);
}

function inTwoUnits(value: number, size: number, large: string, small: string): string {
  const rest = value % size;
  return `${formatCount(Math.floor(value / size))} ${large}${rest === 0 ? '' : ` ${rest} ${small}`}`;
}
