/** The log of `yodel serve`: one line per connection event and message, as text or as JSON. */
import type { Subscriber } from '../telemetry/telemetry.ts';
import { jsonLine, jsonLog } from './json.ts';
import type { LogFormat, LogLevel, LogOptions } from './options.ts';
import { droppedText, textLog } from './text.ts';

/** A subscriber that writes the log. */
export function sessionLog(options: LogOptions): Subscriber {
  const log = options.format === 'json' ? jsonLog(options) : textLog(options);
  return filterByLevel(options.level, log);
}

/**
 * The line that replaces lines dropped because of a slow reader. It is a warning; in a log of errors, where only errors can be
 * missing, it is an error.
 */
export function droppedLine(format: LogFormat, level: LogLevel, count: number): string {
  if (format === 'text') return droppedText(count);
  return jsonLine(level === 'error' ? 'error' : 'warn', 'left-out', {}, { lines: count });
}

/** The events that each level logs; `closed` only if the session ended with an error. */
const eventsOfLevel: Readonly<Record<Exclude<LogLevel, 'info'>, readonly string[]>> = {
  warn: ['handlerFailed', 'refused', 'discarded', 'undelivered', 'closed'],
  error: ['handlerFailed'],
};

/** The part of a complete log that a level includes. */
function filterByLevel(level: LogLevel, log: Subscriber): Subscriber {
  if (level === 'info') return log;
  const isLogged = ([event]: [string, unknown]) => eventsOfLevel[level].includes(event);
  const filtered: Subscriber = Object.fromEntries(Object.entries(log).filter(isLogged));
  const { closed } = filtered;
  if (!closed) return filtered;
  const closedByError: Subscriber['closed'] = (session, error) => {
    if (error) closed(session, error);
  };
  return { ...filtered, closed: closedByError };
}
