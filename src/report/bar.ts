/** Bars of block characters, an eighth of a column fine. */

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/**
 * A bar of `part` (0 to 1) of `width` columns. What is more than nothing shows, however little it is, and only what is all is
 * full.
 */
export function bar(part: number, width: number): string {
  if (!(part > 0) || width < 1) return '';
  const most = width * 8;
  const filled = part >= 1 ? most : Math.max(1, Math.min(most - 1, Math.round(part * most)));
  return '█'.repeat(Math.floor(filled / 8)) + eighths[filled % 8];
}
