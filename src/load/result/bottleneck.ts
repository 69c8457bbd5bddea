/** Detects runs that measured the generator instead of the server. */

/** A process that used this share of a core had no time to spare. */
const busyShare = 0.9;
/** An open loop that sends later than this does not produce the requested load, … */
const maxLatenessMs = 1;
/** … unless the lateness is less than this fraction of the latencies. */
const negligiblePart = 0.1;
/** An open loop that sends less than this fraction of the target rate has missed it. */
const minRatePart = 0.99;

/** In shorter runs, most of the processor time is start-up. */
const minSeconds = 0.25;

/** Measurements that show a bottleneck. */
export interface GeneratorSigns {
  readonly seconds: number;
  /** The share of one core that the busiest process used. */
  readonly cpu: number;
  readonly threads: number;
  readonly cores: number;
  /** The 99th percentile of how late messages were sent, in milliseconds; null in a closed loop. */
  readonly latenessP99: number | null;
  /** The 99th percentile of the latencies, that lateness included, in milliseconds; null when there were none. */
  readonly latencyP99: number | null;
  readonly targetRate: number | null;
  readonly sentRate: number;
}

/** The reason why the generator was the bottleneck, with advice; null if it was not. */
export function bottleneckReason(signs: GeneratorSigns): string | null {
  const { cpu, latenessP99, latencyP99, targetRate, sentRate } = signs;
  const isBusy = cpu >= busyShare && signs.seconds >= minSeconds;
  const share = `${Math.floor(cpu * 100)} % of a core`;
  if (latenessP99 === null) {
    return isBusy ? `the generator used ${share}: the server may be able to handle more; ${advice(signs)}` : null;
  }
  if (isBusy && targetRate !== null && sentRate < targetRate * minRatePart) {
    return `the generator used ${share} and sent only ${Math.round(sentRate)} of ${targetRate} messages a second; ${advice(signs)}`;
  }
  if (latenessP99 > maxLatenessMs && latenessP99 > (latencyP99 ?? 0) * negligiblePart) {
    const late = `${latenessP99.toFixed(latenessP99 < 10 ? 1 : 0)} ms`;
    const sentLate = `the generator sent 1 % of the messages at least ${late} late, which is part of their latencies`;
    return `${sentLate}; ${isBusy ? advice(signs) : 'something else kept this machine busy: run it on an idle machine'}`;
  }
  return isBusy ? `the generator used ${share}: latencies may be its own; ${advice(signs)}` : null;
}

function advice({ threads, cores }: GeneratorSigns): string {
  if (threads >= cores) return 'run it on a machine with more cores, or with fewer connections';
  return `spread it over more cores with --threads ${threads + 1}`;
}
