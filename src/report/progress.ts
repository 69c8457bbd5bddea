/** The progress line of a load test. */
import { formatCount, formatCountOf, formatLatency, formatRate, formatSeconds } from '../format/figures.ts';
import type { BenchProgress } from '../load/result/report.ts';
import type { Layout } from '../terminal/layout.ts';
import { bar } from './bar.ts';

/** The bar takes at least this share of the line. */
const barShare = 0.2;
const minBarWidth = 8;

interface Part {
  readonly text: string;
  readonly style?: 'red' | 'dim';
  /** Parts with the lowest weight are omitted first if the line is too long. */
  readonly weight: number;
}

/**
 * One line without a newline: a bar, the time or messages so far, the rate and latencies of the last second, the number of
 * errors if there are any, and of connections. It is one column narrower than `width`, because some terminals begin a new
 * line after the last column.
 */
export function formatProgress(progress: BenchProgress, { width, paint }: Layout): string {
  const available = Math.max(0, width - 1);
  const done = shareDone(progress);
  const leastBar = done === undefined ? 0 : Math.max(minBarWidth, Math.floor(available * barShare)) + 2;
  const parts = partsThatFit(partsOf(progress), available - leastBar);
  const text = parts.map((part) => (part.style ? paint(part.style, part.text) : part.text)).join('  ');
  if (done === undefined) return text;
  const left = available - lengthOf(parts) - (parts.length > 0 ? 2 : 0);
  const filled = bar(done, left);
  const empty = paint('dim', '░'.repeat(left - filled.length));
  return `${paint('cyan', filled)}${empty}${parts.length > 0 ? '  ' : ''}${text}`;
}

/** Progress by time or by messages, whichever is further; undefined when the run has no end. */
function shareDone({ elapsedMs, durationMs, count, answered }: BenchProgress): number | undefined {
  if (durationMs === null && count === null) return undefined;
  return Math.min(1, Math.max(durationMs ? elapsedMs / durationMs : 0, count ? answered / count : 0));
}

/** Padded, so that the line does not jump. */
function partsOf(progress: BenchProgress): Part[] {
  const { elapsedMs, durationMs, count, answered, errors, rate, p50, p99, connectionsUp } = progress;
  const latency = (name: string, value: number | null) =>
    `${name} ${(value === null ? '-' : formatLatency(value)).padStart(7)}`;
  const byCount = count !== null && (durationMs === null || answered / count > elapsedMs / durationMs);
  const whole = byCount ? formatCount(count) : formatSeconds((durationMs ?? 0) / 1000);
  const done = byCount ? formatCount(answered) : `${(elapsedMs / 1000).toFixed(1)} s`;
  const position = durationMs === null && count === null ? done : `${done.padStart(whole.length)} of ${whole}`;
  return [
    { text: position, weight: 4 },
    { text: formatRate(rate).padStart(9), weight: 5 },
    { text: latency('p50', p50), weight: 2 },
    { text: latency('p99', p99), weight: 3 },
    ...(errors > 0 ? [{ text: formatCountOf(errors, 'error'), style: 'red' as const, weight: 6 }] : []),
    { text: formatCountOf(connectionsUp, 'connection'), style: 'dim', weight: 1 },
  ];
}

function partsThatFit(parts: readonly Part[], available: number): readonly Part[] {
  if (parts.length === 0 || lengthOf(parts) <= available) return parts;
  const least = Math.min(...parts.map(({ weight }) => weight));
  return partsThatFit(
    parts.filter(({ weight }) => weight > least),
    available,
  );
}

function lengthOf(parts: readonly Part[]): number {
  return Math.max(
    0,
    parts.reduce((sum, { text }) => sum + text.length + 2, -2),
  );
}
