/** Places in values, as texts. */

/** `items[0].name`; empty for the value itself. */
export function formatPath(path: readonly (PropertyKey | { readonly key: PropertyKey })[]): string {
  let text = '';
  for (const part of path) {
    const key = typeof part === 'object' ? part.key : part;
    if (typeof key === 'number' || /^\d+$/.test(String(key))) text += `[${String(key)}]`;
    else text += `${text && '.'}${String(key)}`;
  }
  return text;
}
