/** Wraps text into lines. */
import type { Paint } from './style.ts';

/** The width of lines and their colours. */
export interface Layout {
  /** Columns. */
  readonly width: number;
  readonly paint: Paint;
}

/** Wraps plain text between words into lines of at most `width` characters. A longer word gets its own line, uncut. */
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
