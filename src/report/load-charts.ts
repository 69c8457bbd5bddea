/** The charts of a load test. */
import { formatCount, formatCountOf, formatLatency, formatRate, formatShare } from '../format/figures.ts';
import { countBeyond, latenciesAt, latencyCount, summaryPercentiles } from '../load/result/percentile.ts';
import type { BenchInterval, BenchReport } from '../load/result/report.ts';
import { thinIntervals } from '../load/result/thin.ts';
import {
  type Axes,
  area,
  box,
  dot,
  figure,
  horizontalLine,
  line,
  type Point,
  plot,
  pointAt,
  verticalLine,
} from './chart.ts';
import { exactScale, latencyScale, linearScale, logScale, range, type Scale } from './chart-scale.ts';
import type { Markup } from './html.ts';

/** More points would be closer together than a screen can show. */
const maxPoints = 280;
/** A line of up to this many points has dots, so that a single point is visible. */
const maxDots = 60;

/** Latency by percentile, as HdrHistogram plots it: each further nine takes the same width. */
export function percentileChart(report: BenchReport, old?: BenchReport): Markup {
  const total = latencyCount(report.histogram);
  const oldTotal = old ? latencyCount(old.histogram) : 0;
  const x = percentileScale(Math.max(total, oldTotal));
  const now = curve(report, total);
  const before = old ? curve(old, oldTotal) : [];
  const y = latencyScale([...now, ...before].map(([, latency]) => latency));
  const axes: Axes = { x, y, xTitle: 'percentile' };
  const through = (points: typeof now) => points.map(([share, latency]) => pointAt(axes, share, latency));
  const { latency } = report;
  const rungs = summaryPercentiles.filter(([percentile]) => latency && countBeyond(total, percentile) > 0);
  return figure(
    {
      ...axes,
      title: 'Latency by percentile',
      caption: 'The latency that this share of the replies did not exceed. Each further nine takes the same width.',
      legend: old
        ? [
            ['now', 'this run'],
            ['before', 'earlier run'],
          ]
        : [],
    },
    [
      line('before', through(before)),
      line('now', through(now)),
      rungs.map(([percentile, field]) => {
        const value = latency?.[field] ?? 0;
        return dot('now', pointAt(axes, percentile / 100, value), `p${percentile}: ${formatLatency(value)}`);
      }),
    ],
  );
}

/** Messages per second over time, with the seconds that had errors. */
export function rateChart(report: BenchReport): Markup {
  const intervals = shownIntervals(report);
  const { target } = report.rate;
  const [, highest] = range([...intervals.map(rateOf), target ?? 0]);
  const axes: Axes = { x: timeScale(intervals), y: linearScale(highest), xTitle: 'seconds since the start' };
  const steps = intervals.flatMap((interval): Point[] => [
    pointAt(axes, interval.at, rateOf(interval)),
    pointAt(axes, interval.at + interval.seconds, rateOf(interval)),
  ]);
  const faulty = intervals.filter(({ errors }) => errors > 0);
  return figure(
    {
      ...axes,
      title: report.options.replies === 'none' ? 'Messages sent per second' : 'Messages answered per second',
      caption: describePoints(report),
      legend: [
        ['now', 'rate'],
        ...(target === null ? [] : [['target', `target: ${formatCount(target)}/s`] as const]),
        ...(faulty.length === 0 ? [] : [['error', 'seconds with errors'] as const]),
      ],
    },
    [
      area('under', steps),
      line('now', steps),
      target === null ? undefined : horizontalLine('target', pointAt(axes, 0, target)[1]),
      faulty.map((interval) => errorMark(axes, interval)),
      intervals.map((interval) => hover(axes, interval, `${formatRate(rateOf(interval))}${errorsIn(interval)}`)),
    ],
  );
}

/** p50, p99 and the largest latency over time. */
export function latencyChart(report: BenchReport): Markup {
  const intervals = shownIntervals(report);
  const lines = ['p50', 'p99', 'max'] as const;
  const values = intervals.flatMap((interval) => lines.map((name) => interval[name]).filter((value) => value !== null));
  const axes: Axes = {
    x: timeScale(intervals),
    y: latencyScale(values),
    xTitle: 'seconds since the start',
  };
  const pointOf = (interval: BenchInterval, value: number) => pointAt(axes, interval.at + interval.seconds / 2, value);
  return figure(
    {
      ...axes,
      title: 'Latency over time',
      caption: describePoints(report),
      legend: lines.map((name) => [name, name] as const),
    },
    [
      lines.toReversed().map((name) => {
        const points = intervals.map((interval) => {
          const value = interval[name];
          return value === null ? undefined : pointOf(interval, value);
        });
        const dots = intervals.length <= maxDots ? points.filter((point) => point !== undefined) : [];
        return [line(name, points), dots.map((point) => dot(name, point, name))];
      }),
      intervals.map((interval) => {
        const tooltip = lines.map((name) => `${name} ${interval[name] === null ? '-' : formatLatency(interval[name])}`);
        return hover(axes, interval, tooltip.join(', '));
      }),
    ],
  );
}

/** A histogram of the latencies. */
export function histogramChart({ histogram, latency }: BenchReport): Markup {
  const total = latencyCount(histogram);
  const filled = histogram.filter(([, count]) => count > 0);
  // A little wider than the values, so that even a single value gets a bar.
  const lowest = Math.max(latency?.min ?? filled[0]?.[0] ?? 0, 1e-6) / 1.01;
  const highest = Math.max(latency?.max ?? filled.at(-1)?.[0] ?? 0, lowest) * 1.01;
  const bins = logBins(filled, lowest, highest);
  const [, fullest] = range(bins.map(({ count }) => count));
  const axes: Axes = {
    x: logScale(lowest, highest),
    // At least 5, so that no tick is a fraction of a reply.
    y: linearScale(Math.max(fullest, 5)),
    xTitle: 'latency',
  };
  const marks = latency ? [['p50', latency.p50] as const, ['p99', latency.p99] as const] : [];
  return figure(
    {
      ...axes,
      title: 'Latency distribution',
      caption: 'The number of replies by latency, on a logarithmic axis.',
    },
    [
      bins
        .filter(({ count }) => count > 0)
        .map(({ from, to, count }) => {
          const [x1, y1] = pointAt(axes, from, count);
          const [x2] = pointAt(axes, to, 0);
          const tooltip = `${formatLatency(from)} to ${formatLatency(to)}: ${formatCount(count)} (${formatShare(count, total)})`;
          // One reply in a million is still visible, and there is a gap between neighbours.
          return box('bar', [x1, Math.min(y1, plot.bottom - 1.5)], [Math.max(x2 - 0.8, x1 + 1), plot.bottom], tooltip);
        }),
      marks
        .filter(([name]) => countBeyond(total, Number(name.slice(1))) > 0)
        .map(([name, value]) => verticalLine(name, pointAt(axes, value, 0)[0], name)),
    ],
  );
}

/** Equal width for 0 to 90 %, 90 to 99 %, and so on, up to the last reply. */
function percentileScale(total: number): Scale {
  const nines = Math.max(1, Math.log10(total));
  const ticks = [{ value: 0, label: '0 %', minor: false }];
  for (let count = 1; count <= nines + 1e-9; count++) {
    const value = 1 - 10 ** -count;
    ticks.push({ value, label: `${Number((value * 100).toFixed(Math.max(0, count - 2)))} %`, minor: count % 2 === 0 });
  }
  return {
    place: (share) => (share >= 1 ? 1 : Math.min(1, -Math.log10(1 - share) / nines)),
    ticks: ticks.filter(({ value }, index) => index === 0 || value < 1),
  };
}

/** Points evenly spread over the axis, up to the slowest reply. */
function curve({ histogram }: BenchReport, total: number): (readonly [share: number, latency: number])[] {
  if (total === 0) return [];
  const nines = Math.log10(Math.max(total, 10));
  const shares = Array.from({ length: maxPoints }, (_, index) => 1 - 10 ** ((-nines * index) / (maxPoints - 1)));
  const latencies = latenciesAt(histogram, shares);
  const points = shares.map((share, index) => [share, latencies[index] ?? 0] as const);
  return [...points, [1 - 10 ** -nines, histogram.at(-1)?.[0] ?? 0]];
}

/** Shorter intervals, such as the rest of a second at the end, have no comparable rate. */
const minSeconds = 0.5;

function shownIntervals({ intervals }: BenchReport): BenchInterval[] {
  const long = intervals.filter(({ seconds }) => seconds >= minSeconds);
  const shown = long.length > 0 ? long : intervals.filter(({ seconds }) => seconds > 0);
  return thinIntervals(shown, maxPoints);
}

function describePoints(report: BenchReport): string {
  const seconds = Math.ceil(report.intervals.length / maxPoints);
  if (seconds <= 1) return 'One value per second.';
  return `One value per ${seconds} seconds: the median of p50, the largest p99 and max.`;
}

function timeScale(intervals: readonly BenchInterval[]): Scale {
  const [, end] = range(intervals.map((interval) => interval.at + interval.seconds));
  return exactScale(end);
}

function rateOf({ answered, seconds }: BenchInterval): number {
  return answered / seconds;
}

function errorsIn({ errors }: BenchInterval): string {
  return errors === 0 ? '' : `, ${formatCountOf(errors, 'error')}`;
}

function errorMark(axes: Axes, interval: BenchInterval): Markup {
  const [from] = pointAt(axes, interval.at, 0);
  const [to] = pointAt(axes, interval.at + interval.seconds, 0);
  const tooltip = formatCountOf(interval.errors, 'error');
  return box('error', [from, plot.bottom], [Math.max(to, from + 2), plot.bottom - 6], tooltip);
}

/** An invisible column over an interval, with a tooltip of its values. */
function hover(axes: Axes, interval: BenchInterval, tooltip: string): Markup {
  const end = interval.at + interval.seconds;
  const [from] = pointAt(axes, interval.at, 0);
  const [to] = pointAt(axes, end, 0);
  const when = `${formatCount(interval.at)} to ${formatCount(end)} s`;
  return box('hover', [from, plot.top], [to, plot.bottom], `${when}: ${tooltip}`);
}

interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Bars of equal width on the logarithmic axis; none covers less than 1 %, because the histogram is hardly finer. */
function logBins(buckets: BenchReport['histogram'], lowest: number, highest: number): Bin[] {
  const ratio = highest / lowest;
  const count = Math.max(1, Math.min(56, Math.floor(Math.log(ratio) / Math.log(1.01))));
  const counts = new Array<number>(count).fill(0);
  for (const [value, more] of buckets) {
    const part = Math.log(Math.max(value, lowest) / lowest) / Math.log(ratio);
    const bin = Math.min(count - 1, Math.floor(part * count));
    counts[bin] = (counts[bin] ?? 0) + more;
  }
  const edge = (index: number) => lowest * ratio ** (index / count);
  return counts.map((sum, index) => ({ from: edge(index), to: edge(index + 1), count: sum }));
}
