/** The log of `yodel serve`: what happened to connections and messages, one line for each, as text or as JSON. */
import type { Subscriber } from '../telemetry/telemetry.ts';
import type { LogFormat, LogLevel, LogOptions } from './options.ts';
import { leftOutText, textLog } from './text.ts';

/** A subscriber that writes the log. */
export async function sessionLog(options: LogOptions): Promise<Subscriber> {
  // What JSON is written with takes a while to load: text does not wait for it.
  const log = options.format === 'json' ? (await import('./json.ts')).jsonLog(options) : textLog(options);
  return upTo(options.level, log);
}

/**
 * The line that stands for lines that a slow reader made us leave out. Where only errors are written, errors are what is
 * missing: then it is one itself.
 */
export function leftOutLine(format: LogFormat, level: LogLevel, count: number): string {
  if (format === 'text') return leftOutText(count);
  const gravity = level === 'error' ? 'error' : 'warn';
  return JSON.stringify({ level: gravity, time: new Date().toISOString(), event: 'left-out', lines: count });
}

/** The events that a level lets through; `closed` only when it tells of an error. */
const graveEvents: Readonly<Record<Exclude<LogLevel, 'info'>, readonly string[]>> = {
  warn: ['handlerFailed', 'refused', 'discarded', 'closed'],
  error: ['handlerFailed'],
};

/** Of a log that writes all, what a level lets through. */
function upTo(level: LogLevel, log: Subscriber): Subscriber {
  if (level === 'info') return log;
  const isGrave = ([event]: [string, unknown]) => graveEvents[level].includes(event);
  const grave: Subscriber = Object.fromEntries(Object.entries(log).filter(isGrave));
  const { closed } = grave;
  if (!closed) return grave;
  const closedByError: Subscriber['closed'] = (session, error) => {
    if (error) closed(session, error);
  };
  return { ...grave, closed: closedByError };
}
