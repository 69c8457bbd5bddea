/** The flags that make `yodel send` send its messages again: as often as needed, to watch the replies, or to measure them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseQuantity, unitForms } from '../../format/units.ts';
import { UsageError } from '../fail.ts';

/** How messages are sent. Times are milliseconds. */
export interface Rounds {
  readonly mode: 'print' | 'watch' | 'latency';
  /** How often all messages are sent; Infinity: until it is interrupted. */
  readonly times: number;
  /** The pause between two rounds. */
  readonly intervalMs: number;
  /** How long to measure, if it is not measured until it is interrupted. */
  readonly forMs: number;
  /** With `latency`: the time that a line of results is about; Infinity: all of it. */
  readonly windowMs: number;
}

/** As in redis-cli: the pause between two samples, the time for a line of the history, and the time to measure in a pipe. */
const sampleIntervalMs = 10;
const defaultWindowMs = 15_000;
const measuredInPipeMs = 1000;
/** The pause between two rounds that are watched. */
const watchIntervalMs = 1000;

/** Adds the flags. */
export function addRepeatFlags(command: Command): void {
  command
    .optionsGroup('Again and again, over one connection:')
    .addOption(
      new Option(
        '--repeat [times]',
        'send the messages this often, --interval apart; without a number until Ctrl-C',
      ).argParser(readTimes),
    )
    .addOption(
      new Option(
        '--watch',
        'repeat every second (--interval), and show what has changed; in a pipe, only that is printed',
      ),
    )
    .addOption(
      new Option(
        '--latency',
        'repeat every 10 ms (--interval), and show minimum, average and maximum of the round-trip times',
      ),
    )
    .addOption(
      new Option('--latency-history [time]', 'the same, with a line for each period (default: 15s)').argParser(
        readWindow,
      ),
    );
}

/** A count, or 0 or -1 for no limit. */
function readTimes(text: string): number {
  const times = text === '-1' ? 0 : parseQuantity('count', text);
  if (times === undefined)
    throw new InvalidArgumentError('It takes a whole number such as 10; without one, write it last.');
  return times === 0 ? Number.POSITIVE_INFINITY : times;
}

function readWindow(text: string): number {
  const ms = parseQuantity('duration', text);
  if (!ms) throw new InvalidArgumentError(`It takes ${unitForms.duration}; without one, write it last.`);
  return ms;
}

/**
 * Reads the flags. Undefined: the messages are sent once.
 *
 * @param isInPipe whether stdout is no terminal
 * @throws UsageError
 */
export function readRounds(flags: Readonly<Record<string, unknown>>, isInPipe: boolean): Rounds | undefined {
  const { repeat, watch, latency, latencyHistory } = flags;
  const isMeasured = latency !== undefined || latencyHistory !== undefined;
  if (watch && isMeasured) throw new UsageError('--watch and --latency cannot be used together');
  if (isMeasured && flags.format !== undefined) throw new UsageError('--latency prints no messages; omit --format');
  if (repeat === undefined && !watch && !isMeasured) return undefined;
  const mode = isMeasured ? 'latency' : watch ? 'watch' : 'print';
  const usual = { print: 0, watch: watchIntervalMs, latency: sampleIntervalMs }[mode];
  const isShort = isInPipe && mode === 'latency' && latencyHistory === undefined && repeat === undefined;
  return {
    mode,
    times: typeof repeat === 'number' ? repeat : Number.POSITIVE_INFINITY,
    intervalMs: (flags.interval as number) || usual,
    forMs: isShort ? measuredInPipeMs : Number.POSITIVE_INFINITY,
    windowMs: windowOf(latencyHistory),
  };
}

/** A flag without its value is `true`. */
function windowOf(latencyHistory: unknown): number {
  if (latencyHistory === undefined) return Number.POSITIVE_INFINITY;
  return typeof latencyHistory === 'number' ? latencyHistory : defaultWindowMs;
}
