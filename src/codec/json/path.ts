/** Places in values, as texts. */

/** A path, as validators have it. */
export type Path = readonly (PropertyKey | { readonly key: PropertyKey })[];

/** How many parts of a long path are shown, from its beginning and from its end. */
const shown = 5;

/** `items[0].name`; empty for the value itself. The middle of a very long path is left out: a peer chooses how deep a value is. */
export function formatPath(path: Path): string {
  if (path.length <= 2 * shown) return format(path);
  return `${format(path.slice(0, shown))} … ${format(path.slice(-shown))}`;
}

function format(path: Path): string {
  let text = '';
  for (const part of path) {
    const key = String(typeof part === 'object' ? part.key : part);
    text += /^\d+$/.test(key) ? `[${key}]` : `${text && '.'}${key}`;
  }
  return text;
}
