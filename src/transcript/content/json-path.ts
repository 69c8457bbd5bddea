/** Places in JSON: `$.time`, `$.items[*].id`, `$..id`. */
import type { JsonPath, JsonPathSegment } from '../transcript.ts';
import { ContentError } from './error.ts';

/** Reads a path. @throws ContentError */
export function parseJsonPath(text: string): JsonPath {
  if (!text.startsWith('$')) throw new ContentError(0, 'a JSON path starts with $, such as $.items[*].id');
  const segments: JsonPathSegment[] = [];
  for (let at = 1; at < text.length; ) {
    const rest = text.slice(at);
    const [token, deep, key, index] =
      /^(?:\.\.([^.[\]*]+)|\.(\*|[^.[\]*]+)|\[(\*|\d+|'[^']*'|"[^"]*")\])/.exec(rest) ?? [];
    if (token === undefined)
      throw new ContentError(at, `cannot read "${rest}"; a JSON path has parts such as .key [0] [*] and ..key`);
    if (deep !== undefined) segments.push({ any: 'many' });
    segments.push(segmentOf(deep ?? key ?? index ?? ''));
    at += token.length;
  }
  if (segments.length === 0) throw new ContentError(0, '$ is the whole message; name a part of it, such as $.id');
  return { text, segments };
}

function segmentOf(text: string): JsonPathSegment {
  if (text === '*') return { any: 'one' };
  if (/^['"]/.test(text)) return text.slice(1, -1);
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** Whether a path names the place with these keys and indexes. */
export function isAt({ segments }: JsonPath, keys: readonly (string | number)[]): boolean {
  return matchesFrom(segments, 0, keys, 0);
}

function matchesFrom(
  segments: readonly JsonPathSegment[],
  segmentAt: number,
  keys: readonly (string | number)[],
  keyAt: number,
): boolean {
  const segment = segments[segmentAt];
  if (segment === undefined) return keyAt === keys.length;
  if (typeof segment === 'object' && segment.any === 'many') {
    for (let at = keyAt; at < keys.length; at++) if (matchesFrom(segments, segmentAt + 1, keys, at)) return true;
    return false;
  }
  if (keyAt === keys.length) return false;
  const isHere = typeof segment === 'object' || String(segment) === String(keys[keyAt]);
  return isHere && matchesFrom(segments, segmentAt + 1, keys, keyAt + 1);
}

/** Keys and indexes as a path. */
export function formatPath(keys: readonly (string | number)[]): string {
  const parts = keys.map((key) =>
    typeof key === 'number' ? `[${key}]` : /^[A-Za-z_][\w-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`,
  );
  return `$${parts.join('')}`;
}
