/** JSON values for property tests. */
import { fc } from '../support/fast-check.ts';

/**
 * Any JSON value whose text means the same value: there is no negative zero in JSON, and no key that `json()` refuses.
 */
export const safeJson = fc
  .jsonValue()
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  .filter((value) => !hasUnsafeKey(value));

/** Whether an object in the value has a key that `json()` refuses. */
export function hasUnsafeKey(value: unknown): boolean {
  if (!isObject(value)) return false;
  return Object.entries(value).some(([key, part]) => {
    const isUnsafe =
      key === '__proto__' || (key === 'constructor' && isObject(part) && Object.hasOwn(part, 'prototype'));
    return isUnsafe || hasUnsafeKey(part);
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
