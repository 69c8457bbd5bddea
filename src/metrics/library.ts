/**
 * What a server measures, for the metrics of a program: `import { … } from 'yodel/metrics'`.
 *
 * @module
 */
export type { BusCounters, Counters } from '../telemetry/telemetry.ts';
export type { MeasuredServer } from './catalogue.ts';
export type { MetricsRegistry } from './family.ts';
export { type RegisterMetricsOptions, registerMetrics } from './register.ts';
export type { Labels } from './sample.ts';
