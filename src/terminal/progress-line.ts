/** Shows progress in one line on stderr that is overwritten: on a terminal only. */
import type { Layout } from './layout.ts';
import { paintFor, wantsColor } from './style.ts';

/** At most one update in this time, in milliseconds. */
const updateEveryMs = 100;
const clearLine = '\r\x1b[K';
/** The width where the terminal's is not known. */
const defaultColumns = 80;
/** Columns left free for the ^C that a terminal prints after Ctrl-C: if it wrapped, the old row would stay on the screen. */
const interruptWidth = 2;

/** A line of progress. */
export class ProgressLine {
  readonly #isShown = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
  readonly #paint = paintFor(wantsColor(process.stderr));
  #lastAt = Number.NEGATIVE_INFINITY;

  /** Replaces the line, at most ten times a second. @param format returns a line of at most `width` columns */
  show(format: (layout: Layout) => string): void {
    const now = performance.now();
    if (!this.#isShown || now - this.#lastAt < updateEveryMs) return;
    this.#lastAt = now;
    const width = (process.stderr.columns || defaultColumns) - interruptWidth;
    process.stderr.write(`${clearLine}${format({ width, paint: this.#paint })}`);
  }

  /** Replaces the line with plain text, cut to the width. */
  showText(text: string): void {
    this.show(({ width, paint }) => paint('dim', text.slice(0, Math.max(0, width))));
  }

  /** Removes the line. */
  clear(): void {
    if (this.#isShown) process.stderr.write(clearLine);
  }
}
