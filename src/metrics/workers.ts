/** The metrics of several processes as one text. Each process has a label of its own, so that nothing is added up wrongly when one begins anew. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { WorkerView } from '../server/worker.ts';

/** How long a worker may take to answer: Prometheus itself waits for 10 s. */
const withinMs = 2000;

/** What is known of the processes. */
export interface MeasuredWorkers {
  readonly all: readonly WorkerView[];
  /** The metrics of those that answer within the time. */
  metrics(withinMs: number): Promise<string[]>;
}

/** @param workers asked for when the metrics are read */
export function metricsOfWorkers(workers: MeasuredWorkers): { readonly contentType: string; text(): Promise<string> } {
  const registry = new Registry();
  const registers = [registry];
  const labelNames = ['worker'];
  new Gauge({
    name: 'yodel_worker_up',
    help: 'Whether the worker listens.',
    labelNames,
    registers,
    collect() {
      for (const { number, isUp } of workers.all) this.set({ worker: number }, Number(isUp));
    },
  });
  new Counter({
    name: 'yodel_worker_restarts_total',
    help: 'How often the worker died and was replaced.',
    labelNames,
    registers,
    collect() {
      this.reset();
      for (const { number, restarts } of workers.all) this.inc({ worker: number }, restarts);
    },
  });
  return {
    contentType: registry.contentType,
    text: async () => mergeMetrics([await registry.metrics(), ...(await workers.metrics(withinMs))]),
  };
}

/** Texts of Prometheus as one: what is said of a metric (HELP, TYPE) once, and its values together, as the format demands. */
export function mergeMetrics(texts: readonly string[]): string {
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
