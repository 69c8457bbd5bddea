/** JSON values for property tests. */
import fc from 'fast-check';

/**
 * Any JSON value whose text means the same value: there is no negative zero in JSON, and no key that `json()` refuses.
 */
export const safeJson = fc
  .jsonValue()
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  .filter((value) => !/"__proto__"|"constructor"/.test(JSON.stringify(value)));
