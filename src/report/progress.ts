/** The line that tells how a load test goes on. */
import { formatCount, formatCountOf, formatLatency, formatRate, formatSeconds } from '../format/figures.ts';
import type { BenchProgress } from '../load/result/report.ts';
import type { Layout } from '../terminal/layout.ts';
import { bar } from './bar.ts';

/** Of the line, at least this part is the bar. */
const barShare = 0.2;
const narrowestBar = 8;

interface Part {
  readonly text: string;
  readonly style?: 'red' | 'dim';
  /** The parts of the least weight are left out first where the line would be too long. */
  readonly weight: number;
}

/**
 * One line without its newline: a bar, how far the run is, the rate and the latencies of the last second, errors when there
 * are any, and the connections. Wherever it can it is exactly one column narrower than `width`, for a terminal whose last
 * column has been written to may begin a new line.
 */
export function formatProgress(progress: BenchProgress, { width, paint }: Layout): string {
  const room = Math.max(0, width - 1);
  const done = shareDone(progress);
  const leastBar = done === undefined ? 0 : Math.max(narrowestBar, Math.floor(room * barShare)) + 2;
  const parts = partsThatFit(partsOf(progress), room - leastBar);
  const text = parts.map((part) => (part.style ? paint(part.style, part.text) : part.text)).join('  ');
  if (done === undefined) return text;
  const left = room - lengthOf(parts) - (parts.length > 0 ? 2 : 0);
  const filled = bar(done, left);
  const empty = paint('dim', '░'.repeat(left - filled.length));
  return `${paint('cyan', filled)}${empty}${parts.length > 0 ? '  ' : ''}${text}`;
}

/** By time or by messages, whichever is further; undefined without an end. */
function shareDone({ elapsedMs, durationMs, count, answered }: BenchProgress): number | undefined {
  if (durationMs === null && count === null) return undefined;
  return Math.min(1, Math.max(durationMs ? elapsedMs / durationMs : 0, count ? answered / count : 0));
}

/** In fixed widths, so that the line does not jump about. */
function partsOf(progress: BenchProgress): Part[] {
  const { elapsedMs, durationMs, count, answered, errors, rate, p50, p99, connectionsUp } = progress;
  const latency = (name: string, value: number | null) =>
    `${name} ${(value === null ? '-' : formatLatency(value)).padStart(7)}`;
  const byCount = count !== null && (durationMs === null || answered / count > elapsedMs / durationMs);
  const whole = byCount ? formatCount(count) : formatSeconds((durationMs ?? 0) / 1000);
  const so = byCount ? formatCount(answered) : `${(elapsedMs / 1000).toFixed(1)} s`;
  const position = durationMs === null && count === null ? so : `${so.padStart(whole.length)} of ${whole}`;
  return [
    { text: position, weight: 4 },
    { text: formatRate(rate).padStart(9), weight: 5 },
    { text: latency('p50', p50), weight: 2 },
    { text: latency('p99', p99), weight: 3 },
    ...(errors > 0 ? [{ text: formatCountOf(errors, 'error'), style: 'red' as const, weight: 6 }] : []),
    { text: formatCountOf(connectionsUp, 'connection'), style: 'dim', weight: 1 },
  ];
}

function partsThatFit(parts: readonly Part[], room: number): readonly Part[] {
  if (parts.length === 0 || lengthOf(parts) <= room) return parts;
  const least = Math.min(...parts.map(({ weight }) => weight));
  return partsThatFit(
    parts.filter(({ weight }) => weight > least),
    room,
  );
}

function lengthOf(parts: readonly Part[]): number {
  return Math.max(
    0,
    parts.reduce((sum, { text }) => sum + text.length + 2, -2),
  );
}
