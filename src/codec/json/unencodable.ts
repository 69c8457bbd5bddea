/** Why a value cannot be sent as JSON, and where in it. `JSON.stringify` does not say where, and makes `null` of some values. */
import { textOfThrown } from '../../errors.ts';
import { isObject, type Place, pathTo, walk } from './walk.ts';

/**
 * What `JSON.stringify` has silently lost: `NaN` and infinite numbers, and in arrays what is no JSON value, which became `null`; maps,
 * sets and promises, which became `{}`. Undefined: nothing. Only called for texts in which there is one of the two.
 */
export function lostValue(value: unknown): string | undefined {
  if (isLost(value, false)) return refusal(describe(value));
  return walk(value, (part, key, place) =>
    isLost(part, Array.isArray(place.value)) ? refusal(describe(part), pathTo(key, place)) : undefined,
  );
}

/** Why `JSON.stringify` has returned nothing, or thrown this. */
export function reasonOf(value: unknown, thrown: unknown): string {
  if (isNothing(value) || typeof value === 'bigint') return refusal(describe(value));
  if (thrown === undefined) return 'its toJSON() returns no JSON value';
  if (thrown instanceof RangeError) return 'it is nested too deeply';
  const found = walk(value, (part, key, place) => {
    if (typeof part === 'bigint') return refusal(describe(part), pathTo(key, place));
    return isObject(part) && isInside(part, place) ? `it contains itself at ${pathTo(key, place)}` : undefined;
  });
  return found ?? textOfThrown(thrown);
}

function isLost(part: unknown, isInArray: boolean): boolean {
  if (typeof part === 'number') return !Number.isFinite(part);
  return isObject(part) ? isEmptied(part) : isInArray && isNothing(part);
}

/** Whether it has contents, or will, of which JSON has nothing. */
function isEmptied(part: object): boolean {
  const isKind = part instanceof Map || part instanceof Set || part instanceof Promise;
  return isKind && !('toJSON' in part);
}

function isInside(part: object, place: Place): boolean {
  for (let one: Place | undefined = place; one; one = one.above) if (one.value === part) return true;
  return false;
}

function isNothing(value: unknown): boolean {
  return value === undefined || typeof value === 'function' || typeof value === 'symbol';
}

function describe(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (value instanceof Promise) return 'a promise';
  return isObject(value) ? `a ${value instanceof Map ? 'Map' : 'Set'}` : String(value);
}

function refusal(what: string, path?: string): string {
  return `${what}${path === undefined ? '' : ` at ${path}`} is no JSON value`;
}
