/** Why a value cannot be sent as JSON, and where in it. `JSON.stringify` does not say where, and makes `null` of some values. */
import { textOfThrown } from '../../errors.ts';
import { isObject, type Place, pathTo, walk } from './walk.ts';

/**
 * What `JSON.stringify` has silently changed into `null`: `NaN`, infinite numbers, and in arrays what is no JSON value. Undefined:
 * nothing. Only called for texts in which there is a `null`.
 */
export function lostValue(value: unknown): string | undefined {
  if (isLost(value, false)) return refusal(String(value));
  return walk(value, (part, key, place) => {
    if (!isLost(part, Array.isArray(place.value)) || convertsItself(place)) return undefined;
    return refusal(describe(part), pathTo(key, place));
  });
}

/** Why `JSON.stringify` has returned nothing, or thrown this. */
export function reasonOf(value: unknown, thrown: unknown): string {
  if (isNothing(value) || typeof value === 'bigint') return refusal(describe(value));
  if (thrown instanceof RangeError) return 'it is nested too deeply';
  const found = walk(value, (part, key, place) => {
    if (convertsItself(place)) return undefined;
    if (typeof part === 'bigint') return refusal(describe(part), pathTo(key, place));
    return isObject(part) && isInside(part, place) ? `it contains itself at ${pathTo(key, place)}` : undefined;
  });
  return found ?? textOfThrown(thrown);
}

function isLost(part: unknown, isInArray: boolean): boolean {
  return typeof part === 'number' ? !Number.isFinite(part) : isInArray && isNothing(part);
}

/** Whether the parts of something are not what is sent, because it has a `toJSON` or is in something that has. */
function convertsItself(place: Place): boolean {
  for (let one: Place | undefined = place; one; one = one.above)
    if (typeof (one.value as { toJSON?: unknown }).toJSON === 'function') return true;
  return false;
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
  return typeof value === 'function' ? 'a function' : String(value);
}

function refusal(what: string, path?: string): string {
  return `${what}${path === undefined ? '' : ` at ${path}`} is no JSON value`;
}
