/** Where `yodel serve` writes: its log to stdout, and what else there is to say to stderr. Neither ever waits. */
import { isatty } from 'node:tty';
import { LineWriter } from '../../log/line-writer.ts';
import { leftOutLine, sessionLog } from '../../log/log.ts';
import type { LogFormat, LogLevel } from '../../log/options.ts';
import { leftOutText } from '../../log/text.ts';
import type { Subscriber } from '../../telemetry/telemetry.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';

/** Says something on stderr, without ever waiting for it. */
export type Say = (text: string) => void;

/** How the log is written, as plain data: a worker gets it from its parent, whose terminal it is. */
export interface LogSettings {
  readonly isQuiet: boolean;
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly messages: boolean;
  readonly color: boolean;
}

/** What the flags say of the log, as stdout is. */
export function logSettingsOf(flags: Readonly<Record<string, unknown>>): LogSettings {
  const auto = isatty(1) ? 'text' : 'json';
  return {
    isQuiet: flags.quiet === true,
    // People look at terminals, and programs read the rest.
    format: flags.logFormat === 'auto' ? auto : (flags.logFormat as LogFormat),
    level: flags.logLevel as LogLevel,
    messages: flags.messages !== false,
    color: wantsColor({ isTTY: isatty(1) }),
  };
}

/** How long the last lines may take. */
const lastLinesMs = 1000;

/** Both. */
export interface Outputs {
  readonly say: Say;
  /** The log, for a server to tell it what happens. */
  readonly log: Subscriber;
  /** A line of the log that is finished already. */
  readonly writeLog: (line: string) => void;
  /** A line for stderr as it is. */
  readonly writeError: (line: string) => void;
  /** Writes what is left, the log first. It is to be called last, but for `say` of `lastWords`. */
  close(lastWords?: () => void): Promise<void>;
}

/** @param worker the number of this process among several */
export async function openOutputs(settings: LogSettings, worker?: number): Promise<Outputs> {
  const { isQuiet, format, level, messages, color } = settings;
  const errors = new LineWriter(2, leftOutText, () => {});
  const name = worker === undefined ? 'yodel:' : `yodel: worker ${worker}:`;
  const say = (text: string) => errors.write(`${name} ${text}`);
  const writer = new LineWriter(
    1,
    (count) => leftOutLine(format, level, count),
    (error) => {
      const { code } = error as NodeJS.ErrnoException;
      // A reader that has seen enough (`| head`) is no failure, but the operator should know that the log ends.
      say(
        code === 'EPIPE'
          ? 'nobody reads the output any more; serving on without it'
          : `the output failed: ${error.message}`,
      );
    },
  );
  const writeLog = (line: string) => writer.write(line);
  const log = isQuiet
    ? {}
    : await sessionLog({ format, level, messages, paint: paintFor(color), worker, write: writeLog });
  return {
    say,
    log,
    writeLog,
    writeError: (line) => errors.write(line),
    async close(lastWords) {
      await writer.close(lastLinesMs);
      lastWords?.();
      await errors.close(lastLinesMs);
    },
  };
}
