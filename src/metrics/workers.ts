/**
 * The metrics of several processes as one text. Each process has its own label: sums would be wrong when a process
 * restarts, because its counters restart with it.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { WorkerView } from '../server/worker.ts';

/** How long a worker may take to respond: Prometheus itself waits for 10 s. */
const timeoutMs = 2000;

/** The processes. */
export interface MeasuredWorkers {
  readonly all: readonly WorkerView[];
  /** The metrics of those that respond within the time. */
  metrics(withinMs: number): Promise<string[]>;
}

/** @param workers queried when the metrics are read */
export function metricsOfWorkers(workers: MeasuredWorkers): { readonly contentType: string; text(): Promise<string> } {
  const registry = new Registry();
  const registers = [registry];
  const labelNames = ['worker'];
  new Gauge({
    name: 'yodel_worker_up',
    help: 'Whether the worker listens and responds.',
    labelNames,
    registers,
    collect() {
      for (const { number, isUp, hangs } of workers.all) this.set({ worker: number }, Number(isUp && !hangs));
    },
  });
  new Counter({
    name: 'yodel_worker_restarts_total',
    help: 'The number of times the worker was replaced because it died.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { number, restarts } of workers.all) this.inc({ worker: number }, restarts);
    },
  });
  return {
    contentType: registry.contentType,
    text: async () => mergeMetrics([await registry.metrics(), ...(await workers.metrics(timeoutMs))]),
  };
}

/** Merges texts of Prometheus: each metric's HELP and TYPE once, with all its values, as the format requires. */
function mergeMetrics(texts: readonly string[]): string {
  const families = new Map<string, { readonly head: string[]; readonly values: string[] }>();
  for (const text of texts) {
    let family: { readonly head: string[]; readonly values: string[] } | undefined;
    let isNew = false;
    for (const line of text.split('\n')) {
      const [, name] = /^# HELP (\S+)/.exec(line) ?? [];
      if (name !== undefined) {
        isNew = !families.has(name);
        family = families.get(name) ?? { head: [], values: [] };
        families.set(name, family);
      }
      if (line === '' || !family) continue;
      if (!line.startsWith('#')) family.values.push(line);
      else if (isNew) family.head.push(line);
    }
  }
  const blocks = [...families.values()].map(({ head, values }) => [...head, ...values].join('\n'));
  return `${blocks.join('\n\n')}\n`;
}
