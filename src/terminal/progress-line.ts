/** How far long work is: a line on a terminal that is written over, and nothing elsewhere. */
import { styleText } from 'node:util';

/** How often it is written anew. */
const everyMs = 100;
const clearLine = '\r\x1b[K';

/** A line on stderr. */
export class ProgressLine {
  readonly #isShown = process.stderr.isTTY === true && process.env.TERM !== 'dumb';
  #lastAt = 0;

  /** Shows a text of one line in place of the one before. */
  show(text: string): void {
    const now = performance.now();
    if (!this.#isShown || now - this.#lastAt < everyMs) return;
    this.#lastAt = now;
    const fitting = text.slice(0, Math.max(0, (process.stderr.columns || 80) - 1));
    process.stderr.write(
      `${clearLine}${process.env.NO_COLOR ? fitting : styleText('dim', fitting, { validateStream: false })}`,
    );
  }

  /** Takes the line away, and says on stderr what is to stay. */
  done(text?: string): void {
    if (this.#isShown) process.stderr.write(clearLine);
    if (text !== undefined) process.stderr.write(`yodel: ${text}\n`);
  }
}
