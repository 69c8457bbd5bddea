/** The latency distribution of a load test, drawn for a terminal. */
import { formatCount } from '../format/figures.ts';
import { latencyBands } from '../load/result/bands.ts';
import { countBeyond, latencyCount, summaryPercentiles } from '../load/result/percentile.ts';
import type { BenchReport } from '../load/result/report.ts';
import type { Layout } from '../terminal/layout.ts';
import { bar } from './bar.ts';

/** At most this many rows, to leave available for the rest of the summary. */
const maxRows = 20;

/** The percentiles that are marked. */
const marked: readonly number[] = [50, 90, 99, 99.9];

const maxBarWidth = 40;
const minBarWidth = 4;

/**
 * One line for each band of latencies: its edges, a bar in proportion to the largest band, the number of replies, their share,
 * and the percentiles in it. On a narrow terminal the lower edges are omitted first, then the counts.
 */
export function drawDistribution({ histogram, latency }: BenchReport, { width, paint }: Layout): string[] {
  const total = latencyCount(histogram);
  const bands = latencyBands(histogram, rowsFor(total));
  const fullest = Math.max(...bands.map(({ count }) => count));
  const rows = bands.map(({ from, to, count }) => ({
    from: formatEdge(from),
    to: formatEdge(to),
    count: formatCount(count),
    share: count === 0 ? '' : formatPart(count / total),
    part: count / fullest,
    marks: marksIn(latency, total, from, to),
  }));
  const widest = (column: 'from' | 'to' | 'count' | 'share' | 'marks') =>
    Math.max(...rows.map((row) => row[column].length));
  const [from, to, count, share] = [widest('from'), widest('to'), widest('count'), widest('share')];
  const marks = widest('marks');

  // The width of a row without its bar, with as many columns as fit.
  const least = 2 + to + 2 + 1 + share;
  const available = width - minBarWidth;
  const withCount = least + 2 + count <= available;
  const withFrom = withCount && least + 2 + count + from + 3 <= available;
  const taken = least + (withCount ? count + 2 : 0) + (withFrom ? from + 3 : 0);
  const withMarks = taken + 2 + marks + 10 <= width;
  const barWidth = Math.max(minBarWidth, Math.min(maxBarWidth, width - taken - (withMarks ? marks + 2 : 0)));

  return rows.map((row) => {
    const edges = withFrom ? `${row.from.padStart(from)} – ${row.to.padStart(to)}` : row.to.padStart(to);
    const drawn = paint('cyan', bar(row.part, barWidth).padEnd(barWidth));
    const numbers = `${withCount ? `${row.count.padStart(count)}  ` : ''}${row.share.padStart(share)}`;
    const mark = withMarks && row.marks !== '' ? paint('dim', `  ${row.marks}`) : '';
    return `  ${edges}  ${drawn} ${numbers}${mark}`.trimEnd();
  });
}

/** The number of rows, by Rice's rule (twice the cube root): few replies in many rows would show only chance. */
function rowsFor(total: number): number {
  return Math.min(maxRows, Math.ceil(2 * Math.cbrt(total)));
}

/** Always with one decimal, so that the points align. */
function formatPart(part: number): string {
  return part < 0.0005 ? '<0.1 %' : `${(part * 100).toFixed(1)} %`;
}

/** The percentiles in a band, except those with too few replies. */
function marksIn(latency: BenchReport['latency'], total: number, from: number, to: number): string {
  return summaryPercentiles
    .filter(([percentile, field]) => {
      const value = latency?.[field] ?? 0;
      return value > from && value <= to && marked.includes(percentile) && countBeyond(total, percentile) > 0;
    })
    .map(([percentile]) => `p${percentile}`)
    .join(' ');
}

/** An edge in the unit that fits, without trailing zeros: `1.25 ms`. */
function formatEdge(milliseconds: number): string {
  const short = (value: number) => String(Number(value.toPrecision(3)));
  if (milliseconds === 0) return '0';
  if (milliseconds >= 1000) return `${short(milliseconds / 1000)} s`;
  return milliseconds >= 1 ? `${short(milliseconds)} ms` : `${short(milliseconds * 1000)} µs`;
}
