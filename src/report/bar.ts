/** Bars of block characters, with a resolution of an eighth of a column. */

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar that fills `part` (0 to 1) of `width` columns. Only 0 is empty, and only 1 is full. */
export function bar(part: number, width: number): string {
  if (!(part > 0) || width < 1) return '';
  const most = width * 8;
  const filled = part >= 1 ? most : Math.max(1, Math.min(most - 1, Math.round(part * most)));
  return '█'.repeat(Math.floor(filled / 8)) + eighths[filled % 8];
}
