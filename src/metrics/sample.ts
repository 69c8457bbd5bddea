/** Labels of a sample, by name. */
export type Labels = Readonly<Record<string, string | number>>;

/** One value of a metric, as prom-client has it. */
export interface Sample {
  readonly value: number;
  readonly labels: Labels;
  /** Where it is not that of the metric. */
  readonly metricName?: string;
}
