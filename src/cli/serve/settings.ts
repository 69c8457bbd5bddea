/** The settings of `yodel serve`, as plain data. */
import type { ServerTls } from '../../transport/transport.ts';
import type { LogSettings } from './outputs.ts';

/** The settings, from flags, environment and file. */
export interface ServeSettings {
  /** The handler's name or file. */
  readonly handler: string;
  readonly flags: Readonly<Record<string, unknown>>;
}

/** What a process serves. A worker receives it from its parent. */
export interface Serving {
  readonly settings: ServeSettings;
  readonly listen: readonly string[];
  readonly tls: ServerTls | undefined;
  /** The number of processes that share the limits. */
  readonly processes: number;
}

/** What a worker receives from its parent at its start. */
export interface Work {
  readonly serving: Serving;
  readonly log: LogSettings;
  /** Whether it collects metrics. */
  readonly collectsMetrics: boolean;
  /** The folder where workers connect to each other, for rooms. */
  readonly meshFolder: string;
  /** The number of listening sockets that it has inherited. */
  readonly descriptors: number;
}
