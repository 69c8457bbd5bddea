/** Computes medians and ratios of the runs. */
import type { LeftOut } from './build.ts';
import { type Contender, referenceFor } from './contenders.ts';
import { participants, type Run } from './rounds.ts';
import type { Workload } from './workloads.ts';

/** The median of several measurements, with their range. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Latencies with background clients. */
export interface LoadedLatencies {
  readonly timesP50: Spread;
  readonly timesP99: Spread;
  /** Medians without background clients, in microseconds. */
  readonly aloneP50: number;
  readonly aloneP99: number;
}

/** Medians of the shares of a core that the processes of a server took. */
export interface ProcessorTime {
  /** The server, or all its nodes together. */
  readonly servers: number;
  /** The engine between the nodes, and its time as a multiple of theirs; null without one. */
  readonly engine: number | null;
  readonly engineToServers: Spread | null;
}

/** One contender in one workload. */
export interface Row {
  readonly contender: string;
  readonly title: string;
  readonly kind: Contender['kind'];
  /** In the workload's unit; null if every measurement failed. */
  readonly value: Spread | null;
  /** Ratio to the workload's reference in the same slice of the same round; null if either failed or the workload has no ratio. */
  readonly ratio: Spread | null;
  /** Medians over all slices, in microseconds. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** How much longer the latencies are than those of the reference in the same slice, in microseconds; null in most workloads. */
  readonly added: { readonly p50: number; readonly p99: number } | null;
  /** What took processor time, as shares of a core; null in most workloads. */
  readonly processor: ProcessorTime | null;
  /** Latencies with background clients as multiples of those without, from the same server in the same slice; null in other workloads. */
  readonly loaded: LoadedLatencies | null;
  /** Remarks about these values. */
  readonly remarks: readonly string[];
}

export interface Table {
  readonly workload: Workload;
  /** Best first, failures last. */
  readonly rows: readonly Row[];
  /** Contenders that are missing, with the reason. */
  readonly absent: readonly { readonly title: string; readonly reason: string }[];
  /** When and how it was measured, if not together with the other tables. */
  readonly measured?: string;
}

/** Above this share of its core, the generator may have been the bottleneck. */
const generatorLimit = 0.95;

/** One table for each workload. */
export function summarise(
  runs: readonly Run[],
  workloads: readonly Workload[],
  contenders: readonly Contender[],
  leftOut: readonly LeftOut[],
): Table[] {
  return workloads.map((workload) => {
    const own = runs.filter((run) => run.workload === workload.name);
    const rows = participants(workload, contenders).map((contender) => rowOf(contender, workload, own));
    const direction = workload.better === 'more' ? -1 : 1;
    const place = ({ value }: Row) => (value ? direction * value.median : Number.POSITIVE_INFINITY);
    return {
      workload,
      rows: rows.toSorted((a, b) => place(a) - place(b)),
      absent: missingContenders(workload, contenders, leftOut),
    };
  });
}

function rowOf(contender: Contender, workload: Workload, all: readonly Run[]): Row {
  const own = all.filter((run) => run.contender === contender.name);
  const reference = referenceFor(contender, workload);
  const references = own.map(({ round, slice }) =>
    all.find((run) => run.contender === reference && run.round === round && run.slice === slice),
  );
  const ratios = own.map(({ value }, index) => {
    const scale = references[index]?.value;
    return value !== undefined && scale ? value / scale : undefined;
  });
  return {
    contender: contender.name,
    title: contender.title,
    kind: contender.kind,
    value: spread(own.map(({ value }) => value)),
    ratio: workload.ratio ? spread(ratios) : null,
    p50: spread(own.map(({ p50 }) => p50))?.median ?? null,
    p99: spread(own.map(({ p99 }) => p99))?.median ?? null,
    added: workload.addedLatency ? addedOf(own, references) : null,
    processor: workload.processorTime ? processorTimeOf(own) : null,
    loaded: loadedOf(own),
    remarks: remarks(own, workload),
  };
}

/** @param references the runs of the reference in the same slices */
function addedOf(own: readonly Run[], references: readonly (Run | undefined)[]): Row['added'] {
  const added = (name: 'p50' | 'p99') => {
    const differences = own.map(({ [name]: latency }, index) => {
      const other = references[index]?.[name];
      return latency === undefined || other === undefined ? undefined : latency - other;
    });
    return spread(differences)?.median;
  };
  const [p50, p99] = [added('p50'), added('p99')];
  return p50 === undefined || p99 === undefined ? null : { p50, p99 };
}

function processorTimeOf(own: readonly Run[]): ProcessorTime | null {
  const servers = spread(own.map((run) => run.servers));
  if (!servers) return null;
  const times = own.map((run) => (run.servers && run.engine !== undefined ? run.engine / run.servers : undefined));
  return {
    servers: servers.median,
    engine: spread(own.map(({ engine }) => engine))?.median ?? null,
    engineToServers: spread(times),
  };
}

function loadedOf(own: readonly Run[]): LoadedLatencies | null {
  const times = (name: 'p50' | 'p99') =>
    spread(own.map(({ [name]: latency, alone }) => (latency && alone ? latency / alone[name] : undefined)));
  const aloneOf = (name: 'p50' | 'p99') => spread(own.map(({ alone }) => alone?.[name]))?.median;
  const [timesP50, timesP99, aloneP50, aloneP99] = [times('p50'), times('p99'), aloneOf('p50'), aloneOf('p99')];
  if (!timesP50 || !timesP99 || aloneP50 === undefined || aloneP99 === undefined) return null;
  return { timesP50, timesP99, aloneP50, aloneP99 };
}

function remarks(own: readonly Run[], workload: Workload): string[] {
  const failures = new Set(own.flatMap(({ failure }) => failure ?? []));
  const times = (count: number) => `${count} of ${own.length} measurements`;
  const failed = own.filter(({ failure }) => failure !== undefined).length;
  const disturbed = own.filter((run) => run.disturbed).length;
  const limited = own.filter(({ busy = 0 }) => busy >= generatorLimit).length;
  const silent = Math.max(0, ...own.map((run) => run.silent ?? 0));
  return [
    ...(failed > 0 ? [`failed in ${times(failed)}: ${[...failures].join('; ')}`] : []),
    ...(disturbed > 0 ? [`disturbed in ${times(disturbed)}`] : []),
    ...(limited > 0 ? [`the generator was at its limit in ${times(limited)}`] : []),
    ...(silent > 0 ? [`up to ${silent} of ${workload.connections} connections were not served`] : []),
  ];
}

function missingContenders(workload: Workload, contenders: readonly Contender[], leftOut: readonly LeftOut[]) {
  const present = participants(workload, contenders);
  const excepted = contenders.flatMap(({ title, except }) => {
    const reason = except?.[workload.name];
    return reason ? [{ title, reason }] : [];
  });
  const missing = leftOut
    .filter(({ contender }) => participants(workload, [contender]).length > 0)
    .map(({ contender, reason }) => ({ title: contender.title, reason }));
  const echoOnly = workload.service.startsWith('upper')
    ? contenders.filter((one) => one.serves.echo && !present.includes(one) && !one.except?.[workload.name])
    : [];
  return [...excepted, ...missing, ...echoOnly.map(({ title }) => ({ title, reason: 'it only echoes' }))];
}

/** Null if there is no value. */
export function spread(values: readonly (number | undefined)[]): Spread | null {
  const sorted = values.filter((value) => value !== undefined).toSorted((a, b) => a - b);
  const low = sorted[0];
  const high = sorted.at(-1);
  if (low === undefined || high === undefined) return null;
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? low) + (sorted[Math.ceil(middle)] ?? high)) / 2;
  return { median, low, high };
}
