/** What `yodel serve` was asked to do, as plain data. */
import type { ServerTls } from '../../transport/transport.ts';
import type { LogSettings } from './outputs.ts';

/** What `yodel serve` was asked for. */
export interface ServeSettings {
  /** A name or a file. */
  readonly handler: string;
  readonly flags: Readonly<Record<string, unknown>>;
}

/** What is served, as plain data: a worker gets it from its parent. */
export interface Serving {
  readonly settings: ServeSettings;
  readonly listen: readonly string[];
  readonly tls: ServerTls | undefined;
  /** How many processes share the limits that are meant for all of them. */
  readonly processes: number;
}

/** What a worker is told to serve. */
export interface Work {
  readonly serving: Serving;
  readonly log: LogSettings;
  /** Whether it shall keep metrics. */
  readonly measures: boolean;
  /** How many sockets that listen already it has inherited. */
  readonly descriptors: number;
}
