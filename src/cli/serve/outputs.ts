/** Where `yodel serve` writes: its log to stdout, everything else to stderr. The server never waits for either. */
import { isatty } from 'node:tty';
import { LineWriter } from '../../log/line-writer.ts';
import { droppedLine, sessionLog } from '../../log/log.ts';
import type { LogFormat, LogLevel } from '../../log/options.ts';
import { droppedText } from '../../log/text.ts';
import type { Subscriber } from '../../telemetry/telemetry.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';

/** Prints a line on stderr without waiting for it. */
export type Notify = (text: string) => void;

/** How the log is written, as plain data: a worker gets it from its parent, which has the terminal. */
export interface LogSettings {
  readonly isQuiet: boolean;
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly messages: boolean;
  /** Whether the handler passes messages on. */
  readonly relays: boolean;
  readonly color: boolean;
}

/** The settings of the log for this handler, these flags and this stdout. */
export function logSettingsOf({
  handler,
  flags,
}: {
  readonly handler: string;
  readonly flags: Readonly<Record<string, unknown>>;
}): LogSettings {
  const auto = isatty(1) ? 'text' : 'json';
  return {
    isQuiet: flags.quiet === true,
    format: flags.logFormat === 'auto' ? auto : (flags.logFormat as LogFormat),
    level: flags.logLevel as LogLevel,
    messages: flags.messages !== false,
    relays: /^(exec|proxy):/.test(handler),
    color: wantsColor({ isTTY: isatty(1) }),
  };
}

/** How long to wait for the last lines to be written. */
const lastLinesMs = 1000;

/** Both streams. */
export interface Outputs {
  readonly notify: Notify;
  /** Writes the log as the server reports events. */
  readonly log: Subscriber;
  /** Whether the log is JSON, and is written. */
  readonly isJson: boolean;
  /** Writes a complete line of the log. */
  readonly writeLog: (line: string) => void;
  /** Writes a line on stderr, unchanged. */
  readonly writeError: (line: string) => void;
  /** Writes the gathered lines to stderr now. */
  readonly flushErrors: () => void;
  /** Writes what is pending, the log first. Only `beforeErrorsClose` may still call `notify`. */
  close(beforeErrorsClose?: () => void): Promise<void>;
}

/**
 * Opens both streams.
 *
 * @param worker the number of this process among several
 */
export function openOutputs(settings: LogSettings, worker?: number): Outputs {
  const { isQuiet, format, level, messages, relays, color } = settings;
  const errors = new LineWriter(2, droppedText, () => {});
  const name = worker === undefined ? 'yodel:' : `yodel: worker ${worker}:`;
  const notify = (text: string) => errors.write(`${name} ${text}`);
  const lines = new LineWriter(
    1,
    (count) => droppedLine(format, level, count),
    (error) => notify(outputFailure(error)),
  );
  const writeLog = (line: string) => lines.write(line);
  const options = { format, level, messages, relays, paint: paintFor(color), worker, write: writeLog };
  return {
    notify,
    isJson: format === 'json' && !isQuiet,
    log: isQuiet ? {} : sessionLog(options),
    writeLog,
    writeError: (line) => errors.write(line),
    flushErrors: () => errors.flush(),
    async close(beforeErrorsClose) {
      await lines.close(lastLinesMs);
      beforeErrorsClose?.();
      await errors.close(lastLinesMs);
    },
  };
}

/** A reader that stops early (`| head`) is not a failure, but the operator should know that the log ends here. */
function outputFailure(error: NodeJS.ErrnoException): string {
  if (error.code === 'EPIPE') return 'the reader of the output is gone; serving continues without it';
  return `cannot write the output: ${error.message}`;
}
