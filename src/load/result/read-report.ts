/** Reads and checks the JSON of a report. */
import { YodelError } from '../../errors.ts';
import type { BenchReport } from './report.ts';

/** Reports of earlier versions of yodel do not have these, nor `connect` and `reconnectEach`. */
const noReplies = { failed: 0, untimed: 0, unasked: 0 };

/** The version of the report format that this yodel writes and reads. */
const knownVersion = 1;

/**
 * Reads what `yodel bench --json` printed.
 *
 * @param name the file's name, for errors
 * @throws YodelError `YODEL_INVALID_OPTION` when it is not a report, is damaged, or has a newer version
 */
export function readReport(text: string, name: string): BenchReport {
  const value = parse(text, name);
  if (field(value, 'kind') !== 'yodel-bench') throw notReport(name, 'it has no "kind": "yodel-bench"');
  const version = field(value, 'version');
  if (typeof version === 'number' && version > knownVersion) {
    const newer = `a report of version ${version}, from a newer yodel; this one reads version ${knownVersion}`;
    throw invalid(`${name} contains ${newer}. Update yodel, or create the report again with this version`);
  }
  if (version !== knownVersion) throw notReport(name, `its version is not ${knownVersion}`);
  const fault = isReport(value, '');
  if (fault !== undefined) throw notReport(name, fault);
  const report = value as BenchReport;
  return {
    ...report,
    options: {
      ...report.options,
      reconnectEach: report.options.reconnectEach ?? false,
      stages: report.options.stages ?? null,
    },
    stages: report.stages ?? null,
    transcript: report.transcript ?? null,
    replies: { ...noReplies, ...report.replies },
    connect: report.connect ?? null,
  };
}

function parse(text: string, name: string): unknown {
  const json = text.replace(/^\ufeff/, '').trim();
  if (json === '') throw notReport(name, 'it is empty');
  const value = parseJson(json);
  if (value !== undefined) return value;
  const several = json.split('\n').filter((line) => parseJson(line) !== undefined).length;
  throw notReport(
    name,
    several > 1 ? `it contains ${several} lines of JSON, and a report is one line` : 'it is not JSON',
  );
}

/** Undefined, which JSON cannot express, for text that is not JSON. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // JSON.parse throws only SyntaxError. Its text quotes the file and differs between runtimes.
    return undefined;
  }
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

function notReport(name: string, fault: string): YodelError {
  return invalid(
    `${name} is not a report of yodel bench: ${fault}. Create one with: yodel bench ADDRESS --json > FILE`,
  );
}

function invalid(message: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', message);
}

/** Returns the problem with the value at `path` of the report, or undefined. */
type Check = (value: unknown, path: string) => string | undefined;

const text: Check = (value, path) => (typeof value === 'string' ? undefined : `${path} must be a string`);

// All numbers in a report are counts or measurements, so none is negative.
const number: Check = (value, path) =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? undefined : `${path} must be a number from 0`;

const orNull =
  (check: Check): Check =>
  (value, path) =>
    value === null ? undefined : check(value, path);

const oneOf =
  (...words: string[]): Check =>
  (value, path) =>
    words.some((word) => word === value) ? undefined : `${path} must be one of ${words.join(', ')}`;

const listOf =
  (check: Check, length?: number): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return `${path} must be a list`;
    if (length !== undefined && value.length !== length) return `${path} must have ${length} items`;
    return firstFault(value.map((item, index) => [check, item, `${path}[${index}]`]));
  };

const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, path) => {
    if (typeof value !== 'object' || value === null) return `${path} must be an object`;
    const prefix = path === '' ? '' : `${path}.`;
    return firstFault(Object.entries(fields).map(([name, check]) => [check, field(value, name), `${prefix}${name}`]));
  };

function firstFault(parts: readonly (readonly [Check, unknown, string])[]): string | undefined {
  for (const [check, value, path] of parts) {
    const fault = check(value, path);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

const numbers = (...names: string[]): Check => object(Object.fromEntries(names.map((name) => [name, number])));

const isReport = object({
  yodel: text,
  runtime: text,
  machine: object({ cpu: text, cores: number, os: text }),
  started: text,
  address: text,
  options: object({
    connections: number,
    pipeline: orNull(number),
    count: orNull(number),
    durationMs: orNull(number),
    rate: orNull(number),
    size: orNull(number),
    framing: text,
    replies: oneOf('echo', 'count', 'none'),
    threads: number,
  }),
  seconds: number,
  ended: oneOf('done', 'interrupted', 'failed'),
  messages: numbers('sent', 'answered', 'unanswered'),
  bytes: numbers('sent', 'received'),
  rate: object({ target: orNull(number), achieved: number }),
  latency: orNull(numbers('min', 'mean', 'stdev', 'max', 'p50', 'p75', 'p90', 'p95', 'p99', 'p999', 'p9999', 'p99999')),
  errors: listOf(object({ code: text, count: number, example: text })),
  connections: numbers('wanted', 'opened', 'lost'),
  generator: object({ cpu: number, lateness: orNull(numbers('p50', 'p99', 'max')), limited: orNull(text) }),
  intervals: listOf(
    object({
      at: number,
      seconds: number,
      answered: number,
      errors: number,
      p50: orNull(number),
      p99: orNull(number),
      max: orNull(number),
    }),
  ),
  histogram: listOf(listOf(number, 2)),
});
