/** Where `yodel serve` writes: its log to stdout, everything else to stderr. The server never waits for either. */
import { isatty } from 'node:tty';
import { type Address, formatPeer } from '../../address.ts';
import { formatPlural } from '../../format/figures.ts';
import { Gate, type LineKind } from '../../log/gate.ts';
import { LineWriter } from '../../log/line-writer.ts';
import { lineFormat, sessionLog, shownHost } from '../../log/log.ts';
import type { LogFormat, LogLevel } from '../../log/options.ts';
import { droppedText, leftOutText } from '../../log/text.ts';
import type { Subscriber } from '../../telemetry/telemetry.ts';
import { escapeText } from '../../terminal/escape.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';

/** Prints a line on stderr without waiting for it. */
export type Notify = (text: string) => void;

/**
 * Prints a line about a client on stderr. Of too many about one host, the rest is counted.
 *
 * @param text is called only if the line is printed, with the client's name: `127.0.0.1:52114#1`
 */
export type NotifyOf = (kind: LineKind, client: Client | undefined, text: (client: string) => string) => void;

/** A client: a session, or one that was refused before it became one. */
interface Client {
  readonly id?: number | undefined;
  readonly peer: Address;
}

/** How the log is written, as plain data: a worker gets it from its parent, which has the terminal. */
export interface LogSettings {
  readonly isQuiet: boolean;
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly messages: boolean;
  /** Lines per second; 0: no limit. */
  readonly rate: number;
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
    rate: flags.logRate as number,
    relays: /^(exec|proxy):/.test(handler),
    color: wantsColor({ isTTY: isatty(1) }),
  };
}

/** How long to wait for the last lines to be written. */
const lastLinesMs = 1000;

/** Lines about clients on stderr, in a second. They are longer than those of the log: a stack has ten lines. */
const errorRate = 10_000;

/** Both streams. */
export interface Outputs {
  readonly notify: Notify;
  readonly notifyOf: NotifyOf;
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
  const { isQuiet, format, color } = settings;
  const errors = new LineWriter(2, { droppedLine: droppedText });
  const name = worker === undefined ? 'yodel:' : `yodel: worker ${worker}:`;
  const notify = (text: string) => errors.write(`${name} ${text}`);
  const { notifyOf, closeGate } = gatedNotify(name, errors);
  const options = { ...settings, paint: paintFor(color), worker };
  const formatted = lineFormat(options);
  const lines = new LineWriter(1, {
    droppedLine: formatted.dropped,
    failed: (error) => notify(outputFailure(error)),
    resumed: (count) => notify(`the output can be written again; ${formatPlural(count, 'line')} lost`),
  });
  const log = isQuiet ? undefined : sessionLog(options, formatted, lines);
  return {
    notify,
    notifyOf,
    isJson: format === 'json' && !isQuiet,
    log: log?.subscriber ?? {},
    writeLog: (line) => lines.write(line),
    writeError: (line) => errors.write(line),
    flushErrors: () => errors.flush(),
    async close(beforeErrorsClose) {
      log?.close();
      await lines.close(lastLinesMs);
      beforeErrorsClose?.();
      closeGate();
      await errors.close(lastLinesMs);
    },
  };
}

/** Prints lines about clients on stderr, and counts what would be too many. */
function gatedNotify(
  name: string,
  errors: LineWriter,
): { readonly notifyOf: NotifyOf; readonly closeGate: () => void } {
  const gate = new Gate<string>({
    rate: errorRate,
    perSource: errorRate / 10,
    output: errors,
    report: (left) => {
      const from = left.source === undefined ? '' : `${left.source} `;
      errors.writeReport(`${name} ${from}${leftOutText(left)}`, left.lines);
    },
  });
  const notifyOf: NotifyOf = (kind, client, text) => {
    const host = client ? escapeText(shownHost(client.peer)) : '';
    const use = gate.use(kind, `${kind} ${host}`, host);
    if (!gate.admits(use)) return gate.leaveOut(use, 1);
    const line = `${name} ${text(client ? nameOf(client) : '')}`;
    errors.write(line);
    gate.count(use, line.length);
  };
  return { notifyOf, closeGate: () => gate.close() };
}

function nameOf({ id, peer }: Client): string {
  return `${escapeText(formatPeer(peer))}${id === undefined ? '' : `#${id}`}`;
}

/** A reader that stops early (`| head`) is not a failure, but the operator should know that the log ends here. */
function outputFailure(error: NodeJS.ErrnoException): string {
  if (error.code === 'EPIPE') return 'the reader of the output is gone; serving continues without it';
  return `cannot write the output: ${error.message}`;
}
