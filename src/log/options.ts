/** How the log is written. */
import type { Paint } from '../terminal/style.ts';

/** Text is for people, JSON for programs that collect logs. */
export type LogFormat = 'text' | 'json';

/**
 * The severity of a line. `error`: a handler failed. `warn`: a connection was refused, a message discarded or not expressible
 * for its receiver, a member of a room missed messages, a session ended with an error, or lines are missing. `info`: everything else.
 */
export type LogLevel = 'info' | 'warn' | 'error';

/**
 * Lines per second, of messages and of everything else. At a microsecond each, a flood takes a twentieth of the event loop;
 * traffic that people and tests cause stays far below.
 */
export const defaultLogRate = 20_000;

/** How the log is written. */
export interface LogOptions {
  readonly format: LogFormat;
  /** The minimum severity. */
  readonly level: LogLevel;
  /** Whether messages are logged, or connections only. */
  readonly messages: boolean;
  /** Whether the handler passes messages on, such as a proxy: each message is then logged with its direction. */
  readonly relays?: boolean | undefined;
  readonly paint: Paint;
  /** The number of this process among several, each of which counts its own sessions. */
  readonly worker?: number | undefined;
  /** Lines per second, for messages and for everything else; further ones are only counted. 0: no limit. */
  readonly rate: number;
}
