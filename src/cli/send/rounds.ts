/** Sends the messages of `yodel send` again and again. */
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { formatPlural } from '../../format/figures.ts';
import { formatQuantity } from '../../format/units.ts';
import type { Message } from '../../framing/message.ts';
import { Histogram } from '../../load/histogram.ts';
import { escapeText } from '../../terminal/escape.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';
import { type ExchangeSettings, exchangeMessages } from '../connect/exchange.ts';
import type { ExchangedMessage, PrintMessage } from '../connect/message-format.ts';
import { toBytes } from '../connect/message-format.ts';
import { exitStatus } from '../fail.ts';
import { formatTimes, formatTimesAsJson, Latency, spreadOf } from './latency.ts';
import type { Rounds } from './repeat-flags.ts';
import { Watch } from './watch.ts';

/** What a mode does with messages. */
interface Mode {
  readonly print: PrintMessage;
  /** What is printed on stdout at the end. @param isBelow whether nothing else was printed, such as an error */
  end(isBelow: boolean): string;
  /** What is said on stderr at the end. */
  summary(): string;
}

/** Resolves with the exit status. @param texts the messages as they were given @throws as {@link exchangeMessages} */
export async function sendRounds(
  rounds: Rounds,
  settings: ExchangeSettings,
  messages: readonly Message[],
  { texts, json }: { readonly texts: readonly string[]; readonly json: boolean },
): Promise<number> {
  const canDraw = process.stdout.isTTY === true && process.env.TERM !== 'dumb' && !json;
  const mode = {
    print: () => new Repeated(settings.print),
    latency: () => new Measured(rounds, json, canDraw),
    watch: () => new Watched(settings.print, watchFor(rounds, texts, canDraw)),
  }[rounds.mode]();
  // An exchange ends the process at once. This listener is called before.
  const interrupted = (signal: NodeJS.Signals) => {
    writeNow(1, mode.end(true));
    const summary = mode.summary();
    // The terminal has shown ^C.
    writeNow(2, summary !== '' && process.stderr.isTTY && signal === 'SIGINT' ? `\n${summary}` : summary);
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.on('SIGINT', interrupted).on('SIGTERM', interrupted);
  const all = { ...settings, count: Number.POSITIVE_INFINITY, intervalMs: 0, print: mode.print };
  const status = await exchangeMessages(all, repeated(messages, rounds));
  process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  process.stdout.write(mode.end(status === exitStatus.good));
  process.stderr.write(mode.summary());
  return status;
}

async function* repeated(messages: readonly Message[], { times, intervalMs, forMs }: Rounds): AsyncGenerator<Message> {
  const startedAt = performance.now();
  for (let round = 1; round <= times; round++) {
    yield* messages;
    if (round === times || performance.now() - startedAt >= forMs) return;
    // The connection keeps the process alive, if there still is one.
    if (intervalMs > 0) await pause(intervalMs, undefined, { ref: false });
  }
}

/** Every message is printed. */
class Repeated implements Mode {
  readonly #times = new Histogram();
  readonly print: PrintMessage;

  constructor(print: PrintMessage) {
    this.print = (passed) => {
      if (passed.rttMs !== undefined) this.#times.record(passed.rttMs);
      return print(passed);
    };
  }

  end(): string {
    return '';
  }

  summary(): string {
    return summaryOf(this.#times);
  }
}

/** Only the times are printed. */
class Measured implements Mode {
  readonly #latency: Latency;
  readonly #replaces: boolean;

  constructor({ windowMs }: Rounds, json: boolean, replaces: boolean) {
    const format = json ? formatTimesAsJson : formatTimes;
    this.#replaces = replaces;
    this.#latency = new Latency({ windowMs, replaces, format, now: () => performance.now() });
  }

  readonly print = ({ rttMs }: ExchangedMessage): string | undefined => {
    return rttMs === undefined ? undefined : shown(this.#latency.add(rttMs), this.#replaces);
  };

  end(isBelow: boolean): string {
    return this.#latency.end(isBelow);
  }

  summary(): string {
    return '';
  }
}

/** The newest replies are shown. */
class Watched implements Mode {
  readonly #times = new Histogram();
  readonly #watch: Watch;
  readonly print: PrintMessage;

  constructor(print: PrintMessage, { watch, canDraw }: { readonly watch: Watch; readonly canDraw: boolean }) {
    this.#watch = watch;
    this.print = (passed) => {
      if (passed.direction === 'sent') return undefined;
      if (passed.rttMs !== undefined) this.#times.record(passed.rttMs);
      // Latin-1 keeps every byte.
      const text = Buffer.from(toBytes(print(passed) ?? '')).toString(canDraw ? 'utf8' : 'latin1');
      const toPrint = watch.add(text, Buffer.from(passed.message.bytes).toString('latin1'), passed.rttMs);
      return canDraw ? shown(toPrint, true) : Buffer.from(toPrint, 'latin1');
    };
  }

  end(): string {
    return '';
  }

  summary(): string {
    const { rounds, changes } = this.#watch;
    if (rounds === 0) return '';
    const counts = `${formatPlural(rounds, 'round')}, ${formatPlural(changes, 'change')}`;
    return `yodel: ${counts}; ${spreadOf(this.#times)}\n`;
  }
}

function watchFor({ intervalMs }: Rounds, texts: readonly string[], canDraw: boolean) {
  const title = `every ${formatQuantity('duration', intervalMs)}: ${texts.map(escapeText).join(' ')}`;
  const screen = canDraw
    ? { paint: paintFor(wantsColor(process.stdout)), rows: () => process.stdout.rows || 24 }
    : undefined;
  return { watch: new Watch({ replies: texts.length, title, screen }), canDraw };
}

/** On a terminal, writes what moves the cursor past the output for messages, which would escape it. */
function shown(text: string, movesCursor: boolean): string | undefined {
  if (!movesCursor) return text;
  process.stdout.write(text);
  return undefined;
}

function summaryOf(times: Histogram): string {
  if (times.count === 0) return '';
  return `yodel: ${formatPlural(times.count, 'message')} answered: ${spreadOf(times)}\n`;
}

/** Writes before the process ends. */
function writeNow(descriptor: number, text: string): void {
  try {
    writeSync(descriptor, text);
  } catch {
    // The reader is gone, or does not read: do not wait for it.
  }
}
