/** Comparing a received message with expected JSON, and writing JSON to send. */
import { isUtf8 } from 'node:buffer';
import type { JsonTemplate, Part } from '../transcript.ts';
import type { Values } from '../values.ts';
import { ContentError } from './error.ts';
import { knownBytes, sentBytes } from './evaluate.ts';
import { shapeOf } from './generators.ts';
import { parseJson } from './json.ts';
import { formatPath, isAt } from './json-path.ts';
import { placesOf } from './places.ts';
import { showJson } from './show.ts';

type Keys = readonly (string | number)[];

/**
 * Compares bytes with expected JSON. Names without a value get the text in their places: within a string its text, else the
 * JSON value.
 *
 * @returns what differs, if anything; then `values` may have some of the names
 */
export function jsonDifference(template: JsonTemplate, bytes: Uint8Array, values: Values): string | undefined {
  if (!isUtf8(bytes)) return 'not JSON: it is not UTF-8';
  const text = Buffer.from(bytes).toString();
  try {
    return compare(template, parseJson(text), [], values);
  } catch (error) {
    if (error instanceof ContentError) return `not JSON: ${error.message}, at character ${error.at + 1}`;
    throw error;
  }
}

function compare(expected: JsonTemplate, actual: JsonTemplate, keys: Keys, values: Values): string | undefined {
  if (expected.kind === 'part') return comparePart(expected.part, actual, keys, values);
  if (expected.kind === 'object' && actual.kind === 'object')
    return compareMembers(expected.members, actual.members, keys, values);
  if (expected.kind === 'array' && actual.kind === 'array')
    return compareItems(expected.items, actual.items, keys, values);
  const isEqual =
    (expected.kind === 'number' && actual.kind === 'number' && isSameNumber(expected.text, actual.text)) ||
    (expected.kind === 'word' && actual.kind === 'word' && expected.value === actual.value) ||
    (expected.kind === 'string' && actual.kind === 'string' && capture(expected.parts, bytesOfString(actual), values));
  return isEqual ? undefined : `${formatPath(keys)} is ${shown(actual)} and not ${shown(expected)}`;
}

function compareMembers(
  expected: ReadonlyMap<string, JsonTemplate>,
  actual: ReadonlyMap<string, JsonTemplate>,
  keys: Keys,
  values: Values,
): string | undefined {
  for (const [key, template] of expected) {
    const member = actual.get(key);
    const at = [...keys, key];
    const difference = member ? compare(template, member, at, values) : `${formatPath(at)} is missing`;
    if (difference !== undefined && !isIgnored(at, values)) return difference;
  }
  for (const [key, value] of actual) {
    const at = [...keys, key];
    if (!expected.has(key) && !isIgnored(at, values)) return `${formatPath(at)} is ${shown(value)}, and not expected`;
  }
  return undefined;
}

function compareItems(
  expected: readonly JsonTemplate[],
  actual: readonly JsonTemplate[],
  keys: Keys,
  values: Values,
): string | undefined {
  for (let index = 0; index < Math.max(expected.length, actual.length); index++) {
    const at = [...keys, index];
    const [template, item] = [expected[index], actual[index]];
    const difference =
      template && item
        ? compare(template, item, at, values)
        : `${formatPath(at)} is ${item ? `${shown(item)}, and not expected` : 'missing'}`;
    if (difference !== undefined && !isIgnored(at, values)) return difference;
  }
  return undefined;
}

function isIgnored(keys: Keys, { ignored }: Values): boolean {
  return ignored.some((path) => isAt(path, keys));
}

/** Compares the value in the place of a name or a function. */
function comparePart(
  part: Exclude<Part, Uint8Array>,
  actual: JsonTemplate,
  keys: Keys,
  values: Values,
): string | undefined {
  const known = knownBytes(part, values);
  if (known) return compare(templateOf(known), actual, keys, values);
  if ('name' in part) {
    const bytes = Buffer.from(showJson(actual));
    if (part.width === undefined || part.width === bytes.length) {
      values.set(part.name, bytes);
      return undefined;
    }
    return `${formatPath(keys)} is ${shown(actual)} and not ${part.width} bytes long`;
  }
  const text = actual.kind === 'string' ? bytesOfString(actual).toString('latin1') : showJson(actual);
  if ('generator' in part && new RegExp(`^${shapeOf(part.generator)}$`).test(text)) return undefined;
  return `${formatPath(keys)} is ${shown(actual)} and not ${shown({ kind: 'part', part })}`;
}

/** A value as JSON: what is not JSON is a string. */
function templateOf(bytes: Uint8Array): JsonTemplate {
  try {
    if (isUtf8(bytes)) return parseJson(Buffer.from(bytes).toString());
  } catch (error) {
    if (!(error instanceof ContentError)) throw error;
  }
  return { kind: 'string', parts: [bytes] };
}

function capture(parts: readonly Part[], bytes: Uint8Array, values: Values): boolean {
  const found = placesOf(parts, bytes, values);
  for (const [name, value] of found ?? []) values.set(name, value);
  return found !== undefined;
}

/** The text of a string without names. */
function bytesOfString({ parts }: { readonly parts: readonly Part[] }): Buffer {
  return Buffer.concat(parts.filter((part) => part instanceof Uint8Array));
}

/** Compares numbers by value, without rounding them: `1.0`, `1` and `10e-1` are the same. */
function isSameNumber(one: string, other: string): boolean {
  return one === other || normalised(one) === normalised(other);
}

/** The digits without zeros at both ends, and the exponent of the last one. */
function normalised(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const place = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${sign}${significant}e${place}`;
}

/** The JSON text to send. Undefined if a name has no value. @throws YodelError as `sentBytes` */
export function sentJson(template: JsonTemplate, values: Values): Buffer | undefined {
  const text = formatSent(template, values);
  return text === undefined ? undefined : Buffer.from(text);
}

function formatSent(template: JsonTemplate, values: Values): string | undefined {
  switch (template.kind) {
    case 'part': {
      const bytes = sentBytes([template.part], values);
      return bytes && showJson(templateOf(bytes));
    }
    case 'string': {
      const bytes = sentBytes(template.parts, values);
      return bytes && JSON.stringify(bytes.toString());
    }
    case 'array': {
      const items = template.items.map((item) => formatSent(item, values));
      return items.includes(undefined) ? undefined : `[${items.join(',')}]`;
    }
    case 'object': {
      const members = [...template.members].map(([key, member]) => {
        const value = formatSent(member, values);
        return value === undefined ? undefined : `${JSON.stringify(key)}:${value}`;
      });
      return members.includes(undefined) ? undefined : `{${members.join(',')}}`;
    }
    default:
      return showJson(template);
  }
}

const longestShown = 60;

/** A value in an error, cut if it is long. */
function shown(value: JsonTemplate): string {
  const text = showJson(value);
  return text.length > longestShown ? `${text.slice(0, longestShown)}…` : text;
}
