/** Visits all parts of a value. Without recursion: a peer chooses how deep it is. */
import { formatPath } from './path.ts';

/** An object or array in the value. */
export interface Place {
  readonly value: object;
  /** The one that it is in; undefined for the value itself. */
  readonly above: Place | undefined;
  readonly key: string;
}

/**
 * Calls `visit` with every part of every object and array in the value, and returns the first text that it returns. What is in an object
 * with `toJSON` is no part: something else is sent for it, and it may lead back to where it is, as models with a parent do.
 *
 * @param visit gets the part, its key and what it is in
 */
export function walk(
  value: unknown,
  visit: (part: unknown, key: string, place: Place) => string | undefined,
): string | undefined {
  if (!hasParts(value)) return undefined;
  const places: Place[] = [{ value, above: undefined, key: '' }];
  for (let place = places.pop(); place; place = places.pop()) {
    const parts = place.value as Record<string, unknown>;
    for (const key of Object.keys(parts)) {
      const part = parts[key];
      const found = visit(part, key, place);
      if (found !== undefined) return found;
      if (hasParts(part)) places.push({ value: part, above: place, key });
    }
  }
  return undefined;
}

function hasParts(value: unknown): value is object {
  return isObject(value) && typeof (value as { toJSON?: unknown }).toJSON !== 'function';
}

/** Where a part is, such as `items[0].name`. */
export function pathTo(key: string, place: Place): string {
  const path = [key];
  for (let one = place; one.above; one = one.above) path.push(one.key);
  return formatPath(path.reverse());
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
