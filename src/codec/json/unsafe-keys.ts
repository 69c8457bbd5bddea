/**
 * Keys with which a peer could change the prototypes of a program that copies or merges what it receives: `__proto__`, and
 * `constructor` with `prototype` in it. `JSON.parse` itself is not fooled, but many functions that merge objects are.
 */
import { isObject, pathTo, walk } from './walk.ts';

/** Whether the text may have such a key, perhaps with escapes. Almost no text has any of these. */
const suspicious = /__proto__|"constructor"|\\u00/;

/** Where the first key of this kind is; undefined: there is none. @param text that `value` was parsed from */
export function unsafeKey(text: string, value: unknown): string | undefined {
  return suspicious.test(text) ? walk(value, testKey) : undefined;
}

function testKey(part: unknown, ...[key, place]: Parameters<typeof pathTo>): string | undefined {
  const isUnsafe = key === '__proto__' || (key === 'constructor' && isObject(part) && Object.hasOwn(part, 'prototype'));
  return isUnsafe ? pathTo(key, place) : undefined;
}
