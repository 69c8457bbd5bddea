/** The metrics of a server in a program's own registry. */
import { YodelError } from '../errors.ts';
import { checkShapes, kindOf } from '../option-shapes.ts';
import type { MeasuredServer } from './catalogue.ts';
import { addSource, type MetricsRegistry } from './family.ts';
import { HandlerDurations } from './histogram.ts';
import type { Labels } from './sample.ts';

/** Options of {@link registerMetrics}. */
export interface RegisterMetricsOptions {
  /** The program's registry: `register` or a `new Registry()` of its own prom-client, version 13 or newer. */
  readonly registry: MetricsRegistry;
  /** What the names begin with. Default: `yodel_`. */
  readonly prefix?: string | undefined;
  /** Labels of all values of this server. Several servers in one registry need different ones. Default: none. */
  readonly labels?: Labels | undefined;
}

/**
 * Adds the metrics of a server to the program's own Prometheus registry. They are those of `yodel serve --metrics`, without the default
 * metrics of the process, which are the program's business. Values are read when the registry is asked for them; only the duration of
 * handlers is measured all the time.
 *
 * ```ts
 * import { register } from 'prom-client';
 * import { registerMetrics } from 'yodel/metrics';
 *
 * const unregister = registerMetrics(server, { registry: register, labels: { server: 'public' } });
 * void server.closed.then(unregister);
 * ```
 *
 * @returns removes the metrics of this server, and measures no more. Until then they stay, also when the server is closed
 * @throws YodelError `YODEL_INVALID_OPTION`: this is no registry, it has metrics of these names, or a server with the same labels; or this is
 *   no server
 */
export function registerMetrics(server: MeasuredServer, options: RegisterMetricsOptions): () => void {
  const { registry, prefix = 'yodel_', labels = {} } = checked(options);
  if (typeof (server as Partial<MeasuredServer> | null)?.subscribe !== 'function') {
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `registerMetrics() takes what serve() resolves to, not ${kindOf(server)}`,
    );
  }
  const durations = new HandlerDurations();
  const remove = addSource(registry, prefix, { server: () => server, durations }, { ...labels });
  const end = server.subscribe(durations.subscriber);
  return () => {
    remove();
    end();
  };
}

function checked(options: RegisterMetricsOptions): RegisterMetricsOptions {
  const invalid = (text: string) => new YodelError('YODEL_INVALID_OPTION', text);
  checkShapes(options, { registry: 'other', prefix: 'text', labels: 'object' }, 'registerMetrics()');
  const { registry, prefix, labels = {} } = options;
  if (typeof registry?.registerMetric !== 'function' || typeof registry.removeSingleMetric !== 'function')
    throw invalid('the option "registry" takes a registry of prom-client, such as its "register"');
  if (prefix !== undefined && !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(prefix))
    throw invalid(`the option "prefix" takes letters, digits and _, and no digit first, not "${prefix}"`);
  for (const name of Object.keys(labels)) {
    if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) && !name.startsWith('__') && !own.includes(name)) continue;
    throw invalid(
      `the option "labels" takes names of letters, digits and _, but not "${own.join('" or "')}": "${name}"`,
    );
  }
  return options;
}

/** Labels that metrics have by themselves. */
const own = ['code', 'le'];
