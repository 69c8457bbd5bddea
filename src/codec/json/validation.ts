/** Validates values with the schema of a program. */
import { YodelError } from '../../errors.ts';
import type { SchemaIssue, StandardSchema } from '../standard-schema.ts';
import { formatPath } from './path.ts';

/** How many issues an error names. */
const mostIssues = 3;

/** What validation resulted in: the value, or the text of what is wrong with it. */
type Outcome = { readonly value: unknown; readonly problem?: undefined } | { readonly problem: string };

/**
 * The value as the schema returns it.
 *
 * @throws TypeError what is wrong with the value; YodelError if the schema cannot be used
 */
export function validate(schema: StandardSchema, value: unknown): unknown {
  const outcome = run(schema, value);
  if (outcome.problem !== undefined) throw new TypeError(outcome.problem);
  return outcome.value;
}

/** What a schema throws is not meant for peers, unlike what it returns. */
function run(schema: StandardSchema, value: unknown): Outcome {
  try {
    const result: unknown = schema['~standard'].validate(value);
    if (isPromise(result)) {
      // The result is refused in any case, so its rejection is ignored.
      void Promise.resolve(result).catch(() => undefined);
      parseWithZod(schema, value);
      throw unusable('validates asynchronously, and codecs are synchronous: validate in the handler instead');
    }
    if (typeof result !== 'object' || result === null) throw unusable('has returned no result');
    const { issues, value: changed } = result as { issues?: readonly SchemaIssue[] | undefined; value?: unknown };
    return issues ? { problem: formatIssues(issues) } : { value: changed };
  } catch (cause) {
    if (cause instanceof YodelError) throw cause;
    throw new TypeError(cause instanceof RangeError ? 'it is nested too deeply' : 'it cannot be validated', { cause });
  }
}

/**
 * Zod validates a second time, asynchronously, if a function of the schema has thrown, or the stack is too short for the value: it returns
 * a promise then, as if the schema were asynchronous. Its own function tells which it is.
 *
 * @throws what the schema throws, unless that is because it is asynchronous
 */
function parseWithZod(schema: StandardSchema, value: unknown): void {
  const { safeParse } = schema as { safeParse?: unknown };
  if (schema['~standard'].vendor !== 'zod' || typeof safeParse !== 'function') return;
  try {
    safeParse.call(schema, value);
  } catch (thrown) {
    // "Encountered Promise during synchronous parse", and similar texts of older versions.
    if (!/encountered/i.test((thrown as Error | null)?.message ?? '')) throw thrown;
  }
}

function formatIssues(issues: readonly SchemaIssue[]): string {
  const texts = issues.slice(0, mostIssues).map(({ message, path = [] }) => {
    const where = formatPath(path);
    return where === '' ? message : `${where}: ${message}`;
  });
  const others = issues.length - texts.length;
  return texts.join('; ') + (others > 0 ? `; and ${others} more` : '');
}

function isPromise(result: unknown): boolean {
  return typeof (result as { then?: unknown } | null | undefined)?.then === 'function';
}

function unusable(why: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', `the schema of json() ${why}`);
}
