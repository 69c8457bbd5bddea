/**
 * The metrics of one prefix in one registry, for any number of servers.
 *
 * They are objects of yodel's own, not of prom-client's classes: a registry asks a metric for nothing but its name, type and values, in
 * every version since 13, so it does not matter which copy of prom-client the registry is from.
 */
import { YodelError } from '../errors.ts';
import { catalogue, type MetricDefinition, type Source } from './catalogue.ts';
import type { Labels, Sample } from './sample.ts';

/** A registry of prom-client, of version 13 or newer: what is needed of it. */
export interface MetricsRegistry {
  // biome-ignore lint/suspicious/noExplicitAny: each version of prom-client declares metrics in its own way
  registerMetric(metric: any): void;
  removeSingleMetric(name: string): void;
}

/** A server whose metrics are in the registry. */
interface LabelledSource {
  readonly source: Source;
  readonly labels: Labels;
}

/** A metric as registries see it. */
class Metric {
  /** A registry in the format of OpenMetrics changes the names of counters. */
  name: string;
  readonly help: string;
  readonly type: MetricDefinition['type'];
  /** How several processes are merged. */
  readonly aggregator = 'sum';
  readonly #definition: MetricDefinition;
  readonly #fullName: string;
  readonly #sources: ReadonlySet<LabelledSource>;

  constructor(name: string, definition: MetricDefinition, sources: ReadonlySet<LabelledSource>) {
    this.name = name;
    this.help = definition.help;
    this.type = definition.type;
    this.#definition = definition;
    this.#fullName = name;
    this.#sources = sources;
  }

  async get(): Promise<object> {
    const values: Sample[] = [];
    for (const { source, labels } of this.#sources) {
      for (const sample of this.#definition.samples(source, this.#fullName))
        values.push({ ...sample, labels: { ...labels, ...sample.labels } });
    }
    const { name, help, type, aggregator } = this;
    return { name, help, type, values, aggregator };
  }

  /** The values are the server's, which cannot be reset. */
  reset(): void {}
}

/** See the top of the file. */
class Family {
  readonly #registry: MetricsRegistry;
  readonly #sources = new Set<LabelledSource>();
  readonly #metrics: readonly Metric[];
  readonly #names: readonly string[];

  constructor(registry: MetricsRegistry, prefix: string) {
    this.#registry = registry;
    this.#names = Object.keys(catalogue).map((name) => prefix + name);
    this.#metrics = Object.entries(catalogue).map(([name, metric]) => new Metric(prefix + name, metric, this.#sources));
  }

  /** Adds a server. Returns a function that removes it, which returns whether it was the last one. */
  add(source: Source, labels: Labels): () => boolean {
    const key = keyOf(labels);
    for (const other of this.#sources) {
      if (keyOf(other.labels) !== key) continue;
      const text =
        'another server has the same labels in this registry; give each its own, such as { server: "public" }';
      throw new YodelError('YODEL_INVALID_OPTION', `the option "labels": ${text}`);
    }
    this.#register();
    const added = { source, labels };
    this.#sources.add(added);
    return () => {
      this.#sources.delete(added);
      if (this.#sources.size > 0) return false;
      this.#remove(this.#names);
      return true;
    };
  }

  /** For each server: a program may have cleared its registry. One that has a metric already ignores it. */
  #register(): void {
    const registered: string[] = [];
    try {
      for (const [index, metric] of this.#metrics.entries()) {
        this.#registry.registerMetric(metric);
        registered.push(this.#names[index] as string);
      }
    } catch (cause) {
      if (this.#sources.size === 0) this.#remove(registered);
      const reason = cause instanceof Error ? cause.message : String(cause);
      const text = `the registry refuses a metric: ${reason}; use another "prefix"`;
      throw new YodelError('YODEL_INVALID_OPTION', text, { cause });
    }
  }

  #remove(names: readonly string[]): void {
    for (const name of names) this.#registry.removeSingleMetric(name);
  }
}

function keyOf(labels: Labels): string {
  const sorted = Object.entries(labels).map(([name, value]) => [name, String(value)]);
  return JSON.stringify(sorted.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)));
}

const families = new WeakMap<MetricsRegistry, Map<string, Family>>();

/**
 * Adds the metrics of a server to a registry.
 *
 * @returns removes them
 * @throws YodelError `YODEL_INVALID_OPTION` if the registry has metrics of these names, or a server with these labels
 */
export function addSource(registry: MetricsRegistry, prefix: string, source: Source, labels: Labels): () => void {
  const all = families.get(registry) ?? new Map<string, Family>();
  const family = all.get(prefix) ?? new Family(registry, prefix);
  const remove = family.add(source, labels);
  all.set(prefix, family);
  families.set(registry, all);
  let isRemoved = false;
  return () => {
    if (isRemoved) return;
    isRemoved = true;
    if (remove()) all.delete(prefix);
  };
}
