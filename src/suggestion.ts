/** Suggestions for misspelt names. */

/** The second sentence of an error about an unknown name: the nearest known one, or all of them. */
export function hintFor(name: string, known: readonly string[]): string {
  const nearest = nearestWord(name, known);
  return nearest === undefined ? `Known: ${known.join(', ')}` : `Did you mean "${nearest}"?`;
}

/** The word of `words` nearest to `word`, if near enough to be a misspelling. Case is ignored. */
export function nearestWord(word: string, words: readonly string[]): string | undefined {
  const near = words
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return near && near.distance <= Math.max(2, word.length / 3) ? near.candidate : undefined;
}

/** The Levenshtein distance, computed row by row (R. Wagner and M. Fischer, 1974). Two letters in the wrong order count a little less than one wrong letter. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? (before[j - 2] ?? 0) + 0.9 : substituted;
      next.push(Math.min(substituted, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
