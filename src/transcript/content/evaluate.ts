/** The bytes that parts stand for. */
import type { JsonTemplate, NamePart, Part } from '../transcript.ts';
import type { Values } from '../values.ts';
import { callFunction } from './functions.ts';
import { generate } from './generators.ts';

/**
 * The bytes of parts that are sent. A name without a value gets its default. Undefined if a name has neither.
 *
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT` if a function cannot be computed
 */
export function sentBytes(parts: readonly Part[], values: Values): Buffer | undefined {
  const bytes: Uint8Array[] = [];
  for (const part of parts) {
    const value = sentPart(part, values);
    if (value === undefined) return undefined;
    bytes.push(value);
  }
  return Buffer.concat(bytes);
}

function sentPart(part: Part, values: Values): Uint8Array | undefined {
  if (part instanceof Uint8Array) return part;
  if ('name' in part) return values.valueToSend(part.name) ?? newValue(part, values);
  if ('generator' in part) return generate(part.generator, values);
  if ('variable' in part) return variableOf(part.variable, values) ?? (part.default && sentBytes(part.default, values));
  const argument = sentBytes(part.argument, values);
  return argument && callFunction(part, argument);
}

function newValue({ name, default: parts, generator }: NamePart, values: Values): Uint8Array | undefined {
  if (generator) return generate(generator, values);
  const value = parts && sentBytes(parts, values);
  if (value) values.set(name, value);
  return value;
}

function variableOf(name: string, { environment }: Values): Uint8Array | undefined {
  const value = environment[name];
  return value === undefined ? undefined : Buffer.from(value);
}

/**
 * The bytes that a part of an expected message stands for. Undefined if they are not known: a name without a value, and what
 * is generated.
 *
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT` if a function cannot be computed
 */
export function knownBytes(part: Part, values: Values): Uint8Array | undefined {
  if (part instanceof Uint8Array) return part;
  if ('name' in part) return values.get(part.name);
  if ('generator' in part) return undefined;
  if ('variable' in part) return variableOf(part.variable, values) ?? (part.default && allKnown(part.default, values));
  const argument = allKnown(part.argument, values);
  return argument && callFunction(part, argument);
}

function allKnown(parts: readonly Part[], values: Values): Buffer | undefined {
  const bytes: Uint8Array[] = [];
  for (const part of parts) {
    // Within a function nothing is captured, so that a default applies.
    const value = knownBytes(part, values) ?? defaultBytes(part, values);
    if (value === undefined) return undefined;
    bytes.push(value);
  }
  return Buffer.concat(bytes);
}

function defaultBytes(part: Part, values: Values): Buffer | undefined {
  return 'default' in part && part.default ? allKnown(part.default, values) : undefined;
}

/** What a part needs when it is sent: names without a value, and environment variables that are not set, as within braces. */
export function missingIn(parts: readonly Part[], has: (name: string) => boolean, values: Values): string[] {
  return parts.flatMap((part) => {
    if (part instanceof Uint8Array) return [];
    if ('name' in part) {
      if (part.generator || has(part.name)) return [];
      return part.default ? missingIn(part.default, has, values) : [part.name];
    }
    if ('generator' in part) return [];
    if ('variable' in part) {
      if (variableOf(part.variable, values)) return [];
      return part.default ? missingIn(part.default, has, values) : [`env:${part.variable}`];
    }
    return missingIn(part.argument, has, values);
  });
}

/** The parts of each string and of each value in braces, in the order in which they are written. */
export function* partListsInJson(template: JsonTemplate): Generator<readonly Part[]> {
  if (template.kind === 'string') yield template.parts;
  else if (template.kind === 'part') yield [template.part];
  else if (template.kind === 'array') for (const item of template.items) yield* partListsInJson(item);
  else if (template.kind === 'object') for (const member of template.members.values()) yield* partListsInJson(member);
}
