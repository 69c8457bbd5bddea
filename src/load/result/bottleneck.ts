/** Whether a run has measured the generator instead of the server. */

/** From this share of a core on a process had no time to spare. */
const busyShare = 0.9;
/** An open loop that is this much too late is no longer the load that was asked for, … */
const mostLatenessMs = 1;
/** … unless it makes but this part of the latencies. */
const smallPart = 0.1;
const leastOfTarget = 0.99;

/** In less time the start of the program is most of what it did. */
const leastSeconds = 0.25;

/** What tells of it. */
export interface GeneratorSigns {
  readonly seconds: number;
  /** Share of one core that the busiest process used. */
  readonly cpu: number;
  readonly threads: number;
  readonly cores: number;
  /** 99 % of all messages were sent at most so much too late; null in a closed loop. */
  readonly latenessP99: number | null;
  /** 99 % of all replies took at most so long, that lateness included; null when there were none. */
  readonly latencyP99: number | null;
  readonly targetRate: number | null;
  readonly sentRate: number;
}

/** Why the generator was the bottleneck, and what to do about it; null when it was not. */
export function whyLimited(signs: GeneratorSigns): string | null {
  const { cpu, latenessP99, latencyP99, targetRate, sentRate } = signs;
  const isBusy = cpu >= busyShare && signs.seconds >= leastSeconds;
  const share = `${Math.floor(cpu * 100)} % of a core`;
  if (latenessP99 === null) {
    return isBusy ? `the generator used ${share}: the server may be able to do more; ${advice(signs)}` : null;
  }
  if (isBusy && targetRate !== null && sentRate < targetRate * leastOfTarget) {
    return `the generator used ${share} and sent only ${Math.round(sentRate)} of ${targetRate} messages a second; ${advice(signs)}`;
  }
  if (latenessP99 > mostLatenessMs && latenessP99 > (latencyP99 ?? 0) * smallPart) {
    const late = `${latenessP99.toFixed(latenessP99 < 10 ? 1 : 0)} ms`;
    const sentLate = `the generator sent 1 % of the messages ${late} late or later, which is in their latencies`;
    return `${sentLate}; ${isBusy ? advice(signs) : 'something else kept this machine busy: run it on an idle one'}`;
  }
  return isBusy ? `the generator used ${share}: latencies may be its own; ${advice(signs)}` : null;
}

function advice({ threads, cores }: GeneratorSigns): string {
  if (threads >= cores) return 'run it on a machine with more cores, or with fewer connections';
  return `spread it over more cores with --threads ${threads + 1}`;
}
