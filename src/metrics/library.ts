/**
 * What a server measures, for the metrics of a program: `import { … } from 'yodel/metrics'`.
 *
 * @module
 */
export type { BusCounters, Counters } from '../telemetry/telemetry.ts';
