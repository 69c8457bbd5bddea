/** What the options of a function are called, and what their values look like: checked before anything begins. */
import { YodelError } from './errors.ts';
import { refuseUnknown } from './option-values.ts';

/** What the value of an option must be. `other`: it is checked elsewhere. */
export type OptionShape = keyof typeof shapes | 'other';

/** Every option of a function, by name. */
export type OptionShapes = Readonly<Record<string, OptionShape>>;

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown) => typeof value === 'string';
const isTextList = (value: unknown) => Array.isArray(value) && value.every(isText);

const shapes = {
  function: { takes: 'a function', fits: (value: unknown) => typeof value === 'function' },
  object: { takes: 'an object', fits: (value: unknown) => isObject(value) && !isPromise(value) },
  boolean: { takes: 'true or false', fits: (value: unknown) => typeof value === 'boolean' },
  text: { takes: 'a text', fits: isText },
  number: {
    takes: 'a number from 0',
    fits: (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value >= 0,
  },
  texts: { takes: 'a list of texts', fits: isTextList },
  'text or texts': { takes: 'a text or a list of texts', fits: (value: unknown) => isText(value) || isTextList(value) },
  signal: {
    takes: 'an AbortSignal',
    fits: (value: unknown) => isObject(value) && typeof (value as AbortSignal).addEventListener === 'function',
  },
} as const;

/**
 * Checks the options that a function is called with: that they are an object, that each exists, and what its value is. `undefined`
 * is as if the option were absent.
 *
 * @param where the function, such as `serve()`
 * @throws YodelError `YODEL_INVALID_OPTION`, with the option that is probably meant
 */
export function checkShapes(given: unknown, known: OptionShapes, where: string): void {
  if (!isObject(given) || isPromise(given)) throw refused(`${where} takes an object of options, not ${kindOf(given)}`);
  refuseUnknown(given as object, Object.keys(known), where);
  for (const [name, value] of Object.entries(given as object)) {
    const shape = known[name];
    if (value === undefined || shape === undefined || shape === 'other') continue;
    const { takes, fits } = shapes[shape];
    if (!fits(value)) throw refused(`the option "${name}" takes ${takes}, not ${kindOf(value)}`);
  }
}

/** Names with one shape. */
export function shapesOf(names: readonly string[], shape: OptionShape = 'other'): OptionShapes {
  return Object.fromEntries(names.map((name) => [name, shape]));
}

/** What a value is, for errors: `"text"`, `a function`, `a promise: await it first`. */
export function kindOf(value: unknown): string {
  if (typeof value === 'string') return value.length > 50 ? 'a text' : `"${value}"`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (isPromise(value)) return 'a promise: await it first';
  return Array.isArray(value) ? 'an array' : 'an object';
}

function isPromise(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null)?.then === 'function';
}

function refused(text: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', text);
}
