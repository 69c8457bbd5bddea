/** The result of a load test, as `--json` prints it, the page shows it and `--compare` reads it. */

/** The result of one run. Times are milliseconds unless the name has another unit; rates are messages per second. */
export interface BenchReport {
  readonly kind: 'yodel-bench';
  /** Incremented when a field changes its meaning. */
  readonly version: 1;
  /** The version of yodel that created the report. */
  readonly yodel: string;
  /** Such as `Node 26.10.0`. */
  readonly runtime: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly os: string };
  /** When the run started, as ISO 8601. */
  readonly started: string;
  readonly address: string;
  readonly options: BenchReportOptions;
  /** The duration of the measurement. */
  readonly seconds: number;
  /** `interrupted` by a signal; `failed` when no connection was left. */
  readonly ended: 'done' | 'interrupted' | 'failed';
  readonly messages: { readonly sent: number; readonly answered: number; readonly unanswered: number };
  readonly replies: BenchReplies;
  readonly bytes: { readonly sent: number; readonly received: number };
  /** Messages answered per second, or sent where no replies are expected. `target` is null in a closed loop. */
  readonly rate: { readonly target: number | null; readonly achieved: number };
  /** Null when nothing was answered. */
  readonly latency: LatencySummary | null;
  /** From the beginning of a connection until it could send. Null unless each message had a connection of its own. */
  readonly connect: LatencySummary | null;
  readonly errors: readonly BenchError[];
  /** `lost` counts every loss of a connection; a lost connection is opened again. */
  readonly connections: { readonly wanted: number; readonly opened: number; readonly lost: number };
  readonly generator: {
    /** The share of one core that the busiest process of the generator used, from 0 to 1. */
    readonly cpu: number;
    /** How late messages were sent. Null in a closed loop. */
    readonly lateness: { readonly p50: number; readonly p99: number; readonly max: number } | null;
    /** Why the generator, not the server, was the bottleneck; null when it was not. */
    readonly limited: string | null;
  };
  /** Of a run with a transcript: its requests, in the order of the file. Null in others. */
  readonly transcript: BenchTranscript | null;
  /** Null in a run without stages. */
  readonly stages: readonly BenchStage[] | null;
  /** One per second. */
  readonly intervals: readonly BenchInterval[];
  /** The filled buckets of the latencies, ascending. */
  readonly histogram: readonly (readonly [latency: number, count: number])[];
}

/** Counts of replies that are not in the latencies, and of messages that are no replies. */
export interface BenchReplies {
  /** Messages answered with an error. Their latencies are not recorded. */
  readonly failed: number;
  /** Messages answered, whose latencies are not known, because more or fewer replies than messages arrived. */
  readonly untimed: number;
  /** Messages of the server that arrived before anything was sent, where none were expected. They are no replies. */
  readonly unasked: number;
}

/** The options of a run, with defaults filled in. */
export interface BenchReportOptions {
  readonly connections: number;
  /** Messages in flight on each connection; null in an open loop. */
  readonly pipeline: number | null;
  readonly count: number | null;
  readonly durationMs: number | null;
  readonly rate: number | null;
  /** `10s:100,60s:1000`; null in a run without. */
  readonly stages: string | null;
  /** Bytes of a message; null when the messages differ in size. */
  readonly size: number | null;
  readonly framing: string;
  /** Whether each message had a connection of its own. */
  readonly reconnectEach: boolean;
  readonly replies: 'echo' | 'count' | 'none';
  /** The number of processes that generated the load. */
  readonly threads: number;
}

/** Latencies of replies. */
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

/** One stage of a run. */
export interface BenchStage {
  readonly seconds: number;
  /** Messages per second, scheduled at its beginning and at its end. */
  readonly from: number;
  readonly to: number;
  /** Messages due in it: those sent, and those of them whose latencies are known. */
  readonly sent: number;
  readonly answered: number;
  /** Of those, per second. */
  readonly rate: number;
  /** Errors that occurred in it. */
  readonly errors: number;
  /** Null when nothing was answered, or when latencies were taken back. */
  readonly latency: LatencySummary | null;
}

/** What came of a transcript. */
export interface BenchTranscript {
  readonly file: string;
  /** How often it was played. */
  readonly rounds: number;
  /** Per second. */
  readonly rate: number;
  readonly requests: readonly BenchRequest[];
}

/** One request of a transcript. */
export interface BenchRequest {
  /** The line number, and the file if it was included. */
  readonly line: number;
  readonly file?: string | undefined;
  /** The line as written. */
  readonly text: string;
  readonly sent: number;
  readonly answered: number;
  readonly errors: number;
  /** From sending it until the last line of its replies. */
  readonly latency: LatencySummary | null;
}

/** Errors with one code. */
export interface BenchError {
  readonly code: string;
  readonly count: number;
  /** The text of the first one. */
  readonly example: string;
}

/** One second of a run. The latencies are null when nothing was answered in it. */
export interface BenchInterval {
  /** Seconds since the start of the run. */
  readonly at: number;
  readonly seconds: number;
  /** Messages answered, or sent where no replies are expected. */
  readonly answered: number;
  readonly errors: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/** The progress of a running load test. */
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
