/** JSON in messages. */
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import { checkShapes, type OptionShapes } from '../option-shapes.ts';
import type { Codec } from './codec.ts';
import { syntaxProblem } from './json/syntax.ts';
import { lostValue, reasonOf } from './json/unencodable.ts';
import { unsafeKey } from './json/unsafe-keys.ts';
import { validate } from './json/validation.ts';
import { isSchema, type SchemaInput, type SchemaOutput, type StandardSchema } from './standard-schema.ts';

/** Options of {@link json}. */
export interface JsonOptions<Out = unknown> {
  /**
   * Validates what this end sends: what does not match cannot be encoded. It gives those values their type, too; for the type
   * alone, use {@link unchecked}. Default: no validation.
   */
  readonly sent?: StandardSchema<Out, unknown> | undefined;
  /** See {@link Codec.invalid}. Default: the reply of `errorReply`. */
  readonly invalid?: Codec<unknown, Out>['invalid'];
  /** See {@link Codec.errorReply}. Default: `{"error": text}`. */
  readonly errorReply?: Codec<unknown, Out>['errorReply'];
  /**
   * What to do with objects that have a key `__proto__`, or `constructor` with `prototype` in it, which could change prototypes of a
   * program that merges objects. `refuse`: the message is not valid. `keep`: they are keys like others. Default: `refuse`.
   */
  readonly unsafeKeys?: 'refuse' | 'keep' | undefined;
}

/**
 * A codec for JSON: one value in each message, as text.
 *
 * ```ts
 * const orders = json(z.object({ item: z.string(), amount: z.int() }));
 * await serve({ codec: orders, handler: (order) => ({ accepted: order.amount < 100 }) });
 * ```
 *
 * Received values are validated if there is a schema of Zod, Valibot, ArkType or another validator with the interface of
 * {@link https://standardschema.dev | Standard Schema}, and have its type. A message that is not JSON, or not valid, is answered with
 * `{"error": "invalid message: amount: expected a number"}`, and the session goes on; see {@link Codec.invalid}.
 *
 * Values that JSON would lose cannot be encoded: `NaN`, infinite numbers, bigints, what contains itself, maps, sets, promises, and
 * `undefined` or a function, except as a property, which is left out as usual. What an object's `toJSON` returns is sent as it is: an invalid `Date`
 * becomes `null`.
 *
 * @typeParam In what this end receives. Without a schema nothing checks that it does
 * @typeParam Out what it sends
 * @param schema validates what this end receives
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function json<In = unknown, Out = unknown>(): Codec<In, Out>;
export function json<Schema extends StandardSchema, Sent extends StandardSchema>(
  schema: Schema,
  options: JsonOptions<SchemaInput<Sent>> & { readonly sent: Sent },
): Codec<SchemaOutput<Schema>, SchemaInput<Sent>>;
export function json<Schema extends StandardSchema>(
  schema: Schema,
  options?: JsonOptions & { readonly sent?: undefined },
): Codec<SchemaOutput<Schema>, unknown>;
export function json<In = unknown, Out = unknown>(schema: undefined, options?: JsonOptions<Out>): Codec<In, Out>;
export function json(schema?: StandardSchema, options: JsonOptions = {}): Codec {
  checkOptions(schema, options);
  const { sent, invalid, errorReply = (text: string) => ({ error: text }), unsafeKeys = 'refuse' } = options;
  const received = isUnchecked(schema) ? undefined : schema;
  const checked = isUnchecked(sent) ? undefined : sent;
  return {
    name: 'json',
    decode(message) {
      const value = parse(message, unsafeKeys === 'refuse');
      return received ? validate(received, value) : value;
    },
    encode: (value) => stringify(checked ? validate(checked, value) : value),
    errorReply,
    ...((received || checked) && { peer: json(undefined, { unsafeKeys }) }),
    ...(invalid !== undefined && { invalid }),
  };
}

/** A type for {@link json} without validation: `json(request, { sent: unchecked<Reply>() })`. */
export function unchecked<Value>(): StandardSchema<Value> {
  return accepting as StandardSchema<Value>;
}

const accepting: StandardSchema<never, unknown> = {
  '~standard': { version: 1, vendor: 'yodel', validate: (value) => ({ value }) },
};

function isUnchecked(schema: unknown): boolean {
  return schema === accepting;
}

function parse(message: Message, refusesUnsafe: boolean): unknown {
  const { text } = message;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`not JSON: ${syntaxProblem(text) ?? (error as Error).message}`);
  }
  // Bytes that are not UTF-8 became U+FFFD.
  if (text.includes('\ufffd')) checkUtf8(message);
  const unsafe = refusesUnsafe ? unsafeKey(text, value) : undefined;
  if (unsafe !== undefined) throw new TypeError(`the key ${unsafe} is not allowed`);
  return value;
}

function checkUtf8({ bytes }: Message): void {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Expected: a TypeError, whose text differs.
    throw new SyntaxError('not JSON: it is not valid UTF-8');
  }
}

function stringify(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new TypeError(reasonOf(value, error), { cause: error });
  }
  if (text === undefined) throw new TypeError(reasonOf(value, undefined));
  const lost = text.includes('null') || text.includes('{}') ? lostValue(value) : undefined;
  if (lost !== undefined) throw new TypeError(lost);
  return text;
}

/** The functions are checked with the codec. */
const known = {
  sent: 'other',
  invalid: 'other',
  errorReply: 'other',
  unsafeKeys: 'other',
} as const satisfies OptionShapes & Record<keyof JsonOptions, string>;

function checkOptions(schema: unknown, options: JsonOptions): void {
  checkShapes(options, known, 'json()');
  const { sent, unsafeKeys } = options;
  const invalid = (text: string) => new YodelError('YODEL_INVALID_OPTION', `json() takes ${text}`);
  if (schema !== undefined && !isSchema(schema))
    throw invalid('a schema with the interface of Standard Schema, version 1');
  if (sent !== undefined && !isSchema(sent)) throw invalid('a schema as option "sent"');
  if (unsafeKeys !== undefined && unsafeKeys !== 'refuse' && unsafeKeys !== 'keep')
    throw invalid('"refuse" or "keep" as option "unsafeKeys"');
}
