/**
 * The content of a payload or a header, in one of five forms:
 *
 *     > hello {name}          literal text, with names and functions in braces
 *     < /^hello/i             a pattern, of an expected message
 *     >\ \x02hello\x03\r      text with escapes
 *     >x 02 68 65 {id:2}      bytes in hexadecimal digits
 *     >j {"id": {id}}         a JSON value
 *
 * How they are read and compared is in the folder content/.
 */
import { asBuffer } from '../framing/framing.ts';
import { missingIn, partListsInJson, sentBytes } from './content/evaluate.ts';
import { parseJsonTemplate } from './content/json.ts';
import { jsonDifference, sentJson } from './content/json-compare.ts';
import { groupNames, groupsOf, parsePattern, patternForm } from './content/pattern.ts';
import { type Functions, parsePieces } from './content/pieces.ts';
import { placesOf } from './content/places.ts';
import type { Content, Part } from './transcript.ts';
import { Values } from './values.ts';

export { ContentError } from './content/error.ts';
export { formatContent, formatEscaped } from './content/format.ts';

/** Reads literal text, or a pattern. @throws ContentError */
export function parsePlain(text: string, functions?: Functions): Content {
  const [whole, source, flags] = patternForm.exec(text) ?? [];
  if (whole !== undefined && source !== undefined)
    return { kind: 'pattern', pattern: parsePattern(source, flags ?? '') };
  return { kind: 'parts', parts: parsePieces(text, 'text', functions) };
}

/** Reads literal text that is never a pattern. @throws ContentError */
export function parseLiteral(text: string, functions?: Functions): Content {
  return { kind: 'parts', parts: parsePieces(text, 'text', functions) };
}

/** Reads text with escapes. @throws ContentError */
export function parseEscaped(text: string, functions?: Functions): Content {
  return { kind: 'parts', parts: parsePieces(text, 'escaped', functions) };
}

/** Reads bytes in hexadecimal digits; spaces may separate pairs. @throws ContentError */
export function parseHex(text: string, functions?: Functions): Content {
  return { kind: 'parts', parts: parsePieces(text, 'hex', functions) };
}

/** Reads a JSON value. @throws ContentError */
export function parseJsonContent(text: string, functions: Functions = new Map()): Content {
  return { kind: 'json', value: parseJsonTemplate(text, functions) };
}

/**
 * The bytes of a message to send. A name without a value gets its default. Undefined for a pattern, and when a name has
 * neither.
 *
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT` if a function cannot be computed
 */
export function bytesOf(content: Content, values: Values): Buffer | undefined {
  if (content.kind === 'pattern') return undefined;
  return content.kind === 'json' ? sentJson(content.value, values) : sentBytes(content.parts, values);
}

/**
 * Compares bytes with the expected content. If they match, names without a value get the bytes found in their places; else no
 * value changes.
 *
 * @returns what differs, if anything: empty if there is no more to say than that
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT` if a function cannot be computed
 */
export function contentDifference(content: Content, bytes: Uint8Array, values: Values): string | undefined {
  if (content.kind === 'json') {
    const found = values.fork();
    const difference = jsonDifference(content.value, bytes, found);
    if (difference === undefined) values.adopt(found);
    return difference;
  }
  const found =
    content.kind === 'pattern' ? groupsOf(content.pattern, bytes) : placesOf(content.parts, asBuffer(bytes), values);
  for (const [name, value] of found ?? []) values.set(name, value);
  return found ? undefined : '';
}

/** Whether bytes match the expected content. If so, names without a value get the bytes found in their places. */
export function matches(content: Content, bytes: Uint8Array, values: Values): boolean {
  return contentDifference(content, bytes, values) === undefined;
}

/** The parts of content that is not a pattern, in the order in which they are written. */
export function partsOfContent(content: Content): readonly Part[] {
  if (content.kind === 'pattern') return [];
  return content.kind === 'json' ? [...partListsInJson(content.value)].flat() : content.parts;
}

/** The names that get values when the content is received. */
export function namesIn(content: Content): string[] {
  if (content.kind === 'pattern') return groupNames(content.pattern);
  return partsOfContent(content).flatMap((part) =>
    !(part instanceof Uint8Array) && 'name' in part ? [part.name] : [],
  );
}

/** The names that get values when the content is sent: those with a default. */
export function namesWithDefaultIn(content: Content): string[] {
  return defaultsIn(partsOfContent(content));
}

function defaultsIn(parts: readonly Part[]): string[] {
  return parts.flatMap((part) => {
    if (part instanceof Uint8Array || 'generator' in part) return [];
    if ('call' in part) return defaultsIn(part.argument);
    return part.default ? [...('name' in part ? [part.name] : []), ...defaultsIn(part.default)] : [];
  });
}

/** All names that the content mentions, also within functions and defaults. */
export function allNamesIn(content: Content): string[] {
  return content.kind === 'pattern' ? groupNames(content.pattern) : mentionedIn(partsOfContent(content));
}

function mentionedIn(parts: readonly Part[]): string[] {
  return parts.flatMap((part) => {
    if (part instanceof Uint8Array) return [];
    if ('call' in part) return mentionedIn(part.argument);
    const inDefault = 'default' in part && part.default ? mentionedIn(part.default) : [];
    return 'name' in part ? [part.name, ...inDefault] : inDefault;
  });
}

/**
 * What must have a value before the content can be sent, as written within braces: names, and variables of the environment,
 * `env:USER`.
 *
 * @param has whether a name has a value
 */
export function unknownIn(content: Content, has: (name: string) => boolean, values: Values = new Values()): string[] {
  return missingIn(partsOfContent(content), has, values);
}

/** What a function in expected content needs and nothing can give it, as within braces. @param has whether a name has a value */
export function unresolvedIn(content: Content, has: (name: string) => boolean, values: Values): string[] {
  const parts = partsOfContent(content).filter((part) => part instanceof Uint8Array || !('name' in part));
  return missingIn(parts, has, values);
}

/**
 * Two names next to each other that nothing separates, if there are any: where one ends and the other begins cannot be known.
 *
 * @param has whether a name has a value
 */
export function adjacentNames(content: Content, has: (name: string) => boolean): [string, string] | undefined {
  const seen = new Set<string>();
  for (const parts of content.kind === 'parts' ? [content.parts] : stringsIn(content)) {
    let open: string | undefined;
    for (const part of parts) {
      const isNew = !(part instanceof Uint8Array) && 'name' in part && !has(part.name) && !seen.has(part.name);
      const next = isNew && part.width === undefined ? part.name : undefined;
      if (open !== undefined && next !== undefined) return [open, next];
      if (isNew) seen.add(part.name);
      open = next;
    }
  }
  return undefined;
}

function stringsIn(content: Content): Iterable<readonly Part[]> {
  return content.kind === 'json' ? partListsInJson(content.value) : [];
}

/** Whether what is sent differs each time, whatever the time is: `{uuid}` and `{random:8}`. */
export function hasRandom(content: Content, values: Values): boolean {
  const isRandom = (part: Part): boolean => {
    if (part instanceof Uint8Array) return false;
    if ('call' in part) return part.argument.some(isRandom);
    if ('name' in part && values.has(part.name)) return false;
    if ('generator' in part && part.generator) return part.generator.kind !== 'now';
    return 'default' in part && part.default !== undefined && part.default.some(isRandom);
  };
  return partsOfContent(content).some(isRandom);
}
