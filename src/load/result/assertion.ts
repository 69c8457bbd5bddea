/** Assertions about the result of a load test: `p99 < 5ms`, `rate >= 50k/s`, `errors == 0`. */
import { YodelError } from '../../errors.ts';
import { formatCount, formatCountOf, formatLatency, formatRate } from '../../format/figures.ts';
import { nearestWord } from '../../suggestion.ts';
import { countBeyond, latencyCount, percentileOf } from './percentile.ts';
import type { BenchReport } from './report.ts';

/** A condition on a report, from {@link parseAssertion}. */
export interface Assertion {
  /** As written, with single spaces. */
  readonly text: string;
  /** The metric's name, such as `p99`, `rate` or `errors`. */
  readonly metric: string;
  readonly operator: keyof typeof operators;
  /** Milliseconds, messages per second, or a count. */
  readonly value: number;
}

/** The result of an {@link Assertion}. */
export interface AssertionResult {
  readonly holds: boolean;
  /** One line: `ok       p99 < 5ms: 1.31 ms`, or `not met  p99 < 5ms: 7.2 ms`. */
  readonly text: string;
}

const operators = {
  '<': (actual: number, limit: number) => actual < limit,
  '<=': (actual: number, limit: number) => actual <= limit,
  '>': (actual: number, limit: number) => actual > limit,
  '>=': (actual: number, limit: number) => actual >= limit,
  '==': (actual: number, limit: number) => actual === limit,
  '!=': (actual: number, limit: number) => actual !== limit,
} as const;

type Kind = 'latency' | 'rate' | 'count';

interface Metric {
  readonly kind: Kind;
  /** Undefined or null when the run has no such value. */
  readonly read: (report: BenchReport) => number | null | undefined;
}

const metrics: Readonly<Record<string, Metric>> = {
  min: { kind: 'latency', read: ({ latency }) => latency?.min },
  mean: { kind: 'latency', read: ({ latency }) => latency?.mean },
  stdev: { kind: 'latency', read: ({ latency }) => latency?.stdev },
  max: { kind: 'latency', read: ({ latency }) => latency?.max },
  rate: { kind: 'rate', read: ({ rate }) => rate.achieved },
  errors: { kind: 'count', read: ({ errors }) => errors.reduce((sum, { count }) => sum + count, 0) },
  messages: { kind: 'count', read: ({ messages }) => messages.answered },
  unanswered: { kind: 'count', read: ({ messages }) => messages.unanswered },
  lost: { kind: 'count', read: ({ connections }) => connections.lost },
};

/** Names that other tools use. */
const otherNames: Readonly<Record<string, string>> = {
  avg: 'mean',
  average: 'mean',
  median: 'p50',
  stddev: 'stdev',
  latency: 'p99',
  rps: 'rate',
  throughput: 'rate',
  count: 'messages',
  answered: 'messages',
};

/** The list of metrics in error messages. */
const metricNames =
  'min, mean, stdev, max, p50 (p75, p90, p99, p99.9 … any percentile), rate, errors, messages, unanswered, lost';

const form = 'a metric, a comparison and a value, such as "p99 < 5ms", "rate >= 50k/s" or "errors == 0"';

/** The form of a value of each kind, in error messages. */
const valueForms: Readonly<Record<Kind, string>> = {
  latency: 'a time with a unit, such as 500us, 5ms or 1.5s',
  rate: 'messages per second, such as 500/s, 50k/s or 1.5M/s',
  count: 'a whole number, such as 0, 1000 or 10k',
};

const latencyUnits: Readonly<Record<string, number>> = { us: 0.001, µs: 0.001, μs: 0.001, ms: 1, s: 1000 };
const multiples: Readonly<Record<string, number>> = { '': 1, k: 1000, m: 1_000_000 };

/**
 * Reads an assertion: a metric, one of `<` `<=` `>` `>=` `==` `!=`, and a value.
 *
 * Latencies (`min` `mean` `stdev` `max` and every percentile, such as `p99.9`) take a time with a unit: `us`, `µs`, `ms` or
 * `s`. `rate` takes messages per second: `50k/s`. `errors`, `messages` (answered), `unanswered` and `lost` take counts.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`, which shows the expected form
 */
export function parseAssertion(text: string): Assertion {
  const written = text.trim().replace(/\s+/g, ' ');
  const [, name, operator, value] = /^([^<>=!]*)([<>=!]+)(.*)$/s.exec(written)?.map((part) => part.trim()) ?? [];
  if (name === undefined || operator === undefined || value === undefined) throw invalid(withoutComparison(written));
  const metric = name.toLowerCase();
  const found = findMetric(metric);
  if (!found) throw invalid(unknownMetric(written, name));
  if (!isOperator(operator)) {
    const hint = operator === '=' ? 'write == for "equal"' : `use one of ${Object.keys(operators).join(' ')}`;
    throw invalid(`unknown comparison "${operator}" in the assertion "${written}": ${hint}`);
  }
  const limit = readValue(found.kind, value);
  if (limit === undefined) {
    const got = value === '' ? ' and is missing' : `, not "${value}"`;
    throw invalid(`the value in the assertion "${written}" must be ${valueForms[found.kind]}${got}`);
  }
  return { text: written, metric, operator, value: limit };
}

/** Checks an assertion. Without replies, every assertion about latencies fails. */
export function checkAssertion(assertion: Assertion, report: BenchReport): AssertionResult {
  const { text, metric, operator, value } = assertion;
  const { kind, read } = findMetric(metric) as Metric;
  const actual = isUnknown(metric, report) ? Number.POSITIVE_INFINITY : read(report);
  const known = actual !== undefined && actual !== null;
  const holds = known && operators[operator](actual, value);
  const shown =
    actual === Number.POSITIVE_INFINITY
      ? describeUnknown(report)
      : known
        ? formatActual(kind, actual, value)
        : withoutLatency(report);
  return { holds, text: `${holds ? 'ok     ' : 'not met'}  ${text}: ${shown}${caveat(metric, report)}` };
}

/**
 * Whether the value of a latency metric is that of an unanswered message, or of one whose latency is not known. Such messages
 * count as slower than any reply: otherwise a stall longer than the time-out would make latencies look better than a shorter one.
 */
function isUnknown(metric: string, { messages, replies, histogram }: BenchReport): boolean {
  const timed = latencyCount(histogram);
  const unknown = messages.unanswered + replies.untimed;
  if (unknown === 0 || timed === 0) return false;
  if (metric === 'max' || metric === 'mean' || metric === 'stdev') return true;
  const percentile = percentileIn(metric);
  return percentile !== undefined && timed < (percentile / 100) * (timed + unknown) - 1e-6;
}

function describeUnknown({ messages: { unanswered }, replies: { untimed } }: BenchReport): string {
  const parts = [
    ...(unanswered > 0 ? [`${formatCountOf(unanswered, 'message was', 'messages were')} never answered`] : []),
    ...(untimed > 0 ? [`the latencies of ${formatCountOf(untimed, 'message')} are unknown`] : []),
  ];
  return parts.join(', ');
}

function findMetric(name: string): Metric | undefined {
  if (Object.hasOwn(metrics, name)) return metrics[name];
  const percentile = percentileIn(name);
  if (percentile === undefined) return undefined;
  return { kind: 'latency', read: (report) => percentileOf(report, percentile) };
}

function percentileIn(name: string): number | undefined {
  const [, digits] = /^p(\d{1,3}(?:\.\d+)?)$/.exec(name) ?? [];
  const percentile = Number(digits);
  return percentile > 0 && percentile <= 100 ? percentile : undefined;
}

function isOperator(text: string): text is keyof typeof operators {
  return Object.hasOwn(operators, text);
}

function readValue(kind: Kind, text: string): number | undefined {
  const [, digits, unit = '', per] = /^(\d+(?:\.\d+)?) ?([a-zµμ]*)(\/s)?$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  if (per !== undefined && kind !== 'rate') return undefined;
  const factor = (kind === 'latency' ? latencyUnits : multiples)[unit.toLowerCase()];
  if (factor === undefined) return undefined;
  // 1.1 * 1000 is 1100.0000000000002.
  const value = Number((Number(digits) * factor).toPrecision(15));
  return kind === 'count' && !Number.isInteger(value) ? undefined : value;
}

function withoutComparison(written: string): string {
  if (/:\/\/|:\d+$|^\d+$/.test(written)) {
    return `"${written}" is not an assertion but looks like an address: write the address before --assert. An assertion is ${form}`;
  }
  const shell = findMetric(written.toLowerCase())
    ? '; put it in quotes, because a shell reads < and > as redirections'
    : '';
  return `the assertion "${written}" is invalid: expected ${form}${shell}`;
}

function unknownMetric(written: string, name: string): string {
  const suggestion = suggestMetric(name.toLowerCase());
  const hint = suggestion === undefined ? '' : ` Did you mean ${suggestion}?`;
  if (name === '') return `the assertion "${written}" has no metric: expected ${form}. Metrics: ${metricNames}`;
  return `unknown metric "${name}" in the assertion "${written}".${hint} Metrics: ${metricNames}`;
}

function suggestMetric(name: string): string | undefined {
  if (Object.hasOwn(otherNames, name)) return otherNames[name];
  // p999 is a common misspelling of p99.9: the fields in the JSON are named that way.
  const [, nines] = /^p99(9+)$/.exec(name) ?? [];
  if (nines !== undefined) return `p99.${nines}`;
  const candidates = [...Object.keys(metrics), 'p50', 'p75', 'p90', 'p95', 'p99', 'p99.9', 'p99.99', 'p99.999'];
  return nearestWord(name, candidates);
}

function withoutLatency({ options, replies }: BenchReport): string {
  if (replies.untimed > 0) return 'the latencies are unknown';
  return options.replies === 'none' ? 'no replies were expected' : 'no message was answered';
}

/** Formats with three digits, or with all if three would not show on which side of the limit the value is. */
function formatActual(kind: Kind, actual: number, limit: number): string {
  if (kind === 'count') return formatCount(actual);
  const format = kind === 'latency' ? formatLatency : formatRate;
  if (actual === limit || format(actual) !== format(limit)) return format(actual);
  return `${Number(actual.toPrecision(12))}${kind === 'latency' ? ' ms' : '/s'}`;
}

/** A remark on a percentile of too few replies. */
function caveat(metric: string, { latency, histogram }: BenchReport): string {
  const percentile = percentileIn(metric);
  const total = latencyCount(histogram);
  if (!latency || percentile === undefined || percentile === 100 || countBeyond(total, percentile) > 0) return '';
  return ` (the slowest of only ${formatCountOf(total, 'reply', 'replies')})`;
}

function invalid(message: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', message);
}
