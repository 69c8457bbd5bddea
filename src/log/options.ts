/** How the log is written. */
import type { Paint } from '../terminal/style.ts';

/** Text is for people, JSON for programs that gather logs. */
export type LogFormat = 'text' | 'json';

/**
 * How grave a line is. `error`: a handler failed. `warn`: a connection was refused, a message discarded, a session ended by an
 * error, lines were left out. `info`: all the rest.
 */
export type LogLevel = 'info' | 'warn' | 'error';

/** How the log is written. */
export interface LogOptions {
  readonly format: LogFormat;
  /** The least grave lines that are written. */
  readonly level: LogLevel;
  /** Whether each message has a line. */
  readonly messages: boolean;
  readonly paint: Paint;
  /** The number of this process among several: each counts its sessions on its own. */
  readonly worker?: number | undefined;
  /** Takes a line of the log, without a newline. */
  readonly write: (line: string) => void;
}
