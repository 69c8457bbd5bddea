/** Whether a measured quantity stays flat over time. */
export interface Sample {
  /** Seconds since the start. */
  readonly at: number;
  readonly value: number;
}

export interface Growth {
  /** Growth from the first sample to the last one, by the slope of the regression line. */
  readonly total: number;
  readonly perHour: number;
}

/** The growth by linear regression (least squares). Needs two samples at different times. */
export function growthOf(samples: readonly Sample[]): Growth {
  const mean = (of: (sample: Sample) => number) => samples.reduce((sum, one) => sum + of(one), 0) / samples.length;
  const [at, value] = [mean((sample) => sample.at), mean((sample) => sample.value)];
  const spread = samples.reduce((sum, one) => sum + (one.at - at) ** 2, 0);
  if (spread === 0) throw new Error('growth needs samples at different times');
  const slope = samples.reduce((sum, one) => sum + (one.at - at) * (one.value - value), 0) / spread;
  const [first, last] = [Math.min(...samples.map((one) => one.at)), Math.max(...samples.map((one) => one.at))];
  return { total: slope * (last - first), perHour: slope * 3600 };
}

/** The samples after the warm-up: the last two thirds. */
export function afterWarmUp<One extends { readonly at: number }>(samples: readonly One[]): One[] {
  const [first = 0, last = 0] = [samples[0]?.at, samples.at(-1)?.at];
  return samples.filter(({ at }) => at >= first + (last - first) / 3);
}
