/** `yodel send --watch`: the newest replies, and what has changed in them since the round before. */
import { formatTimeOfDay } from '../../format/time.ts';
import { escapeText } from '../../terminal/escape.ts';
import type { Paint } from '../../terminal/style.ts';

/** How replies are watched. */
export interface WatchOptions {
  /** The number of replies of a round. */
  readonly replies: number;
  /** What is watched, for the first line on a terminal: `every 1s: PING`. */
  readonly title: string;
  /** The terminal; undefined in a pipe, where only replies are printed that differ from those of the round before. */
  readonly screen: WatchedScreen | undefined;
}

/** A terminal to draw on. */
export interface WatchedScreen {
  readonly paint: Paint;
  readonly rows: () => number;
}

interface WatchedMessage {
  readonly text: string;
  readonly payload: string;
}

/** Clears the screen. */
const clear = '\x1b[H\x1b[2J';

/** Collects the replies of a round, and shows them together. */
export class Watch {
  readonly #options: WatchOptions;
  #round: WatchedMessage[] = [];
  #replies = 0;
  #before: readonly WatchedMessage[] | undefined;
  /** How many rounds differed from the one before. */
  changes = 0;
  rounds = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /**
   * A message has arrived. Returns what is to be printed.
   *
   * @param text as it is printed
   * @param payload what is compared, because the text may contain a time
   * @param rttMs of a reply
   */
  add(text: string, payload: string, rttMs: number | undefined): string {
    this.#round.push({ text, payload });
    if (rttMs === undefined || ++this.#replies < this.#options.replies) return '';
    const round = this.#round;
    const before = this.#before;
    this.#round = [];
    this.#replies = 0;
    this.#before = round;
    this.rounds++;
    const isNew = ({ payload }: WatchedMessage, at: number) => payload !== before?.[at]?.payload;
    const isChanged = before !== undefined && (round.length !== before.length || round.some(isNew));
    if (isChanged) this.changes++;
    const { screen } = this.#options;
    if (screen) return this.#draw(screen, round, before, rttMs);
    const changed = round.filter(isNew);
    return changed.map(({ text: one }) => one).join('');
  }

  #draw(
    { paint, rows }: WatchedScreen,
    round: readonly WatchedMessage[],
    before: readonly WatchedMessage[] | undefined,
    rttMs: number,
  ): string {
    const old = before && linesOf(before);
    const lines = linesOf(round).map((line, at) => (old ? marked(line, old[at] ?? '', paint) : escapeText(line)));
    const head = `${escapeText(this.#options.title)}  ${formatTimeOfDay(new Date())}  ${rttMs.toFixed(2)} ms`;
    const room = Math.max(1, rows() - 4);
    const hidden = lines.length - room;
    const shown = hidden > 0 ? [...lines.slice(0, room), paint('dim', `… ${hidden} more`)] : lines;
    return `${clear}${[paint('dim', head), '', ...shown].join('\n')}\n`;
  }
}

function linesOf(messages: readonly WatchedMessage[]): string[] {
  return messages.flatMap(({ text }) => text.replace(/\r?\n$/, '').split(/\r?\n/));
}

/** A line in which what differs from the same line before is marked. */
function marked(line: string, before: string, paint: Paint): string {
  if (line === before) return escapeText(line);
  const [now, old] = [[...line], [...before]];
  const most = Math.min(now.length, old.length);
  let start = 0;
  while (start < most && now[start] === old[start]) start++;
  let end = 0;
  while (end < most - start && now[now.length - 1 - end] === old[old.length - 1 - end]) end++;
  const part = (from: number, to: number) => escapeText(now.slice(from, to).join(''));
  const changed = part(start, now.length - end);
  return `${part(0, start)}${changed === '' ? '' : paint('yellow', changed)}${part(now.length - end, now.length)}`;
}
