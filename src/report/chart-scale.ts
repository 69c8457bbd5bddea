/** The axes of a chart: where a value is on an axis, and which values are labelled. */
import { formatCount, formatLatency } from '../format/figures.ts';

/** A labelled value of an axis. */
export interface Tick {
  readonly value: number;
  readonly label: string;
  /** Whether it can be omitted where space is short. */
  readonly minor: boolean;
}

/** An axis. */
export interface Scale {
  /** The place of a value, from 0 (start of the axis) to 1 (end). Values outside are clamped. */
  readonly place: (value: number) => number;
  readonly ticks: readonly Tick[];
}

// Beyond the range of any measurement, the arithmetic of the axes would overflow.
const smallest = 1e-6;
const largest = 1e15;

/** An axis from 0 to at least `highest`, with round numbers. */
export function linearScale(highest: number, label: (value: number) => string = formatCount): Scale {
  const most = drawable(highest);
  const step = roundStep(most / 5, [1, 2, 2.5, 5, 10]);
  const end = step * Math.ceil(most / step - 1e-9);
  return { place: (value) => between(value / end), ticks: steps(0, end, step, label) };
}

/** An axis from 0 to exactly `end`: for times, so that the axis ends with the run. */
export function exactScale(end: number, label: (value: number) => string = formatCount): Scale {
  const most = drawable(end);
  return { place: (value) => between(value / most), ticks: steps(0, most, roundStep(most / 6, [1, 2, 5, 10]), label) };
}

/** A logarithmic axis. Values below a nanosecond are placed at its start. */
export function logScale(lowest: number, highest: number, label: (value: number) => string = formatTick): Scale {
  const low = Math.min(Math.max(lowest, smallest), largest);
  const high = Math.min(Math.max(highest, low), largest);
  const edges = roundEdges(low, high);
  const [from, to] = [Math.log10(edges[0] as number), Math.log10(edges.at(-1) as number)];
  return {
    place: (value) => between((Math.log10(Math.max(value, smallest)) - from) / (to - from)),
    ticks: thinned(edges, high / low).map((value) => {
      return { value, label: label(value), minor: !isPowerOfTen(value) && edges.length > 4 };
    }),
  };
}

/** Beyond this ratio, the smallest values on a linear axis look like 0. */
const largestLinearRatio = 15;

/** An axis for latencies: linear from 0, or logarithmic where they differ widely. */
export function latencyScale(values: readonly number[]): Scale {
  const [lowest, highest] = range(values);
  if (highest <= 0 || highest / Math.max(lowest, smallest) < largestLinearRatio)
    return linearScale(highest, formatTick);
  return logScale(lowest, highest);
}

/** The smallest and the largest value. Math.min(...values) fails for very long lists. */
export function range(values: readonly number[]): [lowest: number, highest: number] {
  let [lowest, highest] = [values[0] ?? 0, values[0] ?? 0];
  for (const value of values) {
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
  }
  return [lowest, highest];
}

/** A latency without trailing zeros: `1.5 ms`. */
function formatTick(milliseconds: number): string {
  if (milliseconds === 0) return '0';
  return formatLatency(milliseconds)
    .replace(/\.0+ /, ' ')
    .replace(/(\.\d*[1-9])0+ /, '$1 ');
}

function steps(from: number, to: number, step: number, label: (value: number) => string): Tick[] {
  const ticks: Tick[] = [];
  for (let index = 0; from + index * step <= to * (1 + 1e-9); index++) {
    const value = Number((from + index * step).toPrecision(12));
    ticks.push({ value, label: label(value), minor: index % 2 === 1 });
  }
  return ticks;
}

/** The smallest step of at least `atLeast`: a factor times a power of ten. The last factor must be 10. */
function roundStep(atLeast: number, factors: readonly number[]): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  const factor = factors.find((one) => one * power >= atLeast * (1 - 1e-9)) ?? 10;
  return Number((factor * power).toPrecision(3));
}

/** The numbers of the series 1, 2, 5, 10 … that enclose a range: at least two. */
function roundEdges(low: number, high: number): number[] {
  const edges: number[] = [];
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)) + 1; decade++) {
    for (const mantissa of [1, 2, 5]) edges.push(Number(`${mantissa}e${decade}`));
  }
  const from = Math.max(
    0,
    edges.findLastIndex((edge) => edge <= low * (1 + 1e-9)),
  );
  const to = edges.findIndex((edge) => edge >= high * (1 - 1e-9));
  return edges.slice(from, Math.max(to, from + 1) + 1);
}

/** Over many decades, only some of the edges are labelled. */
function thinned(edges: readonly number[], ratio: number): readonly number[] {
  const decades = Math.log10(ratio);
  if (decades <= 2.4) return edges;
  const each = Math.ceil(decades / 7);
  return edges.filter((edge) => isPowerOfTen(edge) && Math.round(Math.log10(edge)) % each === 0);
}

function isPowerOfTen(value: number): boolean {
  return Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;
}

/** The end of an axis: 1 when there is nothing to draw. */
function drawable(end: number): number {
  return end >= smallest ? Math.min(end, largest) : 1;
}

function between(part: number): number {
  return Math.min(1, Math.max(0, part));
}
