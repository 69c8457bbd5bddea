/** Text in lines that fit a terminal. */
import type { Paint } from './style.ts';

/** How wide lines may be, and how they are coloured. */
export interface Layout {
  /** Columns. */
  readonly width: number;
  readonly paint: Paint;
}

/**
 * Breaks plain text between words into lines of at most `width` characters. A longer word has a line of its own, which is
 * too long: cutting it would change it.
 */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines;
}
