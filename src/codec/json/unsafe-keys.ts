/**
 * Keys with which a peer could change the prototypes of a program that copies or merges what it receives: `__proto__`, and
 * `constructor` with `prototype` in it. `JSON.parse` itself is not fooled, but many functions that merge objects are.
 */
import { isObject, pathTo, walk } from './walk.ts';

/** Whether the text may have such a key, perhaps with escapes. Three searches are several times faster than a regular expression. */
function isSuspicious(text: string): boolean {
  return text.includes('__proto__') || text.includes('\\u00') || text.includes('constructor"');
}

/** Where the first key of this kind is; undefined: there is none. @param text that `value` was parsed from */
export function unsafeKey(text: string, value: unknown): string | undefined {
  return isSuspicious(text) ? walk(value, testKey) : undefined;
}

function testKey(part: unknown, ...[key, place]: Parameters<typeof pathTo>): string | undefined {
  const isUnsafe = key === '__proto__' || (key === 'constructor' && isObject(part) && Object.hasOwn(part, 'prototype'));
  return isUnsafe ? pathTo(key, place) : undefined;
}
