/** What a load test found: the shape that `--json` prints, the page draws and `--compare` reads. */

/** The result of one run. Times are milliseconds unless a name says otherwise; rates are messages a second. */
export interface BenchReport {
  readonly kind: 'yodel-bench';
  /** Grows when a field changes its meaning. */
  readonly version: 1;
  /** The version of yodel that measured. */
  readonly yodel: string;
  /** Such as `Node 26.10.0`. */
  readonly runtime: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly os: string };
  /** When the run began, as ISO 8601. */
  readonly started: string;
  readonly address: string;
  readonly options: BenchReportOptions;
  /** How long was measured. */
  readonly seconds: number;
  /** `interrupted` by a signal; `failed` when no connection was left to go on with. */
  readonly ended: 'done' | 'interrupted' | 'failed';
  readonly messages: { readonly sent: number; readonly answered: number; readonly unanswered: number };
  readonly bytes: { readonly sent: number; readonly received: number };
  /** Messages answered a second; messages sent, when no replies are awaited. `target` is null in a closed loop. */
  readonly rate: { readonly target: number | null; readonly achieved: number };
  /** Null when nothing was answered. */
  readonly latency: LatencySummary | null;
  readonly errors: readonly BenchError[];
  /** `lost` counts each time that a connection was lost; it is opened again. */
  readonly connections: { readonly wanted: number; readonly opened: number; readonly lost: number };
  readonly generator: {
    /** Share of one core that the busiest process of the generator used: 0 to 1. */
    readonly cpu: number;
    /** How much later than intended messages were sent. Null in a closed loop. */
    readonly lateness: { readonly p50: number; readonly p99: number; readonly max: number } | null;
    /** Why the generator and not the server was the bottleneck; null when it was not. */
    readonly limited: string | null;
  };
  /** One a second. */
  readonly intervals: readonly BenchInterval[];
  /** The latencies: the filled buckets, ascending. */
  readonly histogram: readonly (readonly [latency: number, count: number])[];
}

/** The options of a run, as they were resolved. */
export interface BenchReportOptions {
  readonly connections: number;
  /** Messages under way on each connection; null in an open loop. */
  readonly pipeline: number | null;
  readonly count: number | null;
  readonly durationMs: number | null;
  readonly rate: number | null;
  /** Bytes of a message; null when the messages differ in size. */
  readonly size: number | null;
  readonly framing: string;
  readonly replies: 'echo' | 'count' | 'none';
  /** Processes that made the load. */
  readonly threads: number;
}

/** How long replies took. */
export interface LatencySummary {
  readonly min: number;
  readonly mean: number;
  readonly stdev: number;
  readonly max: number;
  readonly p50: number;
  readonly p75: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly p9999: number;
  readonly p99999: number;
}

/** What went wrong, by its code. */
export interface BenchError {
  readonly code: string;
  readonly count: number;
  /** The first one's text. */
  readonly example: string;
}

/** One second of a run. The latencies are null when nothing was answered in it. */
export interface BenchInterval {
  /** Seconds since the run began. */
  readonly at: number;
  readonly seconds: number;
  /** Messages answered; those sent, when no replies are awaited. */
  readonly answered: number;
  readonly errors: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** A run that is under way, as its progress is shown. */
export interface BenchProgress {
  readonly elapsedMs: number;
  readonly durationMs: number | null;
  readonly count: number | null;
  readonly answered: number;
  readonly errors: number;
  /** Of the last second. */
  readonly rate: number;
  /** Of the last second; null when nothing was answered in it. */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly connectionsUp: number;
}
