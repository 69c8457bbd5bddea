/** Rows of the option tables: their types, and how values are checked. */
import { YodelError } from './errors.ts';
import { hintFor } from './suggestion.ts';

/** Timers of both runtimes take 32-bit milliseconds; a longer delay would fire at once. */
export const longestDuration = 2_147_483_647;
/** TCP counts whole seconds, up to 32,767 of them on Linux. */
export const longestKeepAlive = 32_767_000;
/** One message must fit one buffer. */
export const longestMessage = 1_073_741_824;

/** The type of an option's value. It decides the unit, and how the command line parses it. */
export type OptionKind = 'count' | 'size' | 'duration' | 'rate' | 'choice';

/** One row of the option tables. */
export interface OptionSpec {
  readonly kind: OptionKind;
  readonly default: number | string;
  /** What the option does, in one sentence. */
  readonly summary: string;
  /** The reason for the default. */
  readonly reason: string;
  /** What 0 means. If absent, 0 is not allowed. */
  readonly off?: string;
  /** The largest value allowed. */
  readonly max?: number;
  /** The option's name on the command line and in the environment, if it differs from its name in the library. */
  readonly flag?: string;
  /** The values of a `choice`. */
  readonly choices?: readonly string[];
}

/** The values of a table's options: numbers, or the values of a choice. */
export type ValuesOf<Table extends Record<string, OptionSpec>> = {
  -readonly [Name in keyof Table]: Table[Name] extends { readonly choices: readonly (infer Word)[] } ? Word : number;
};

/** The same options, all optional. */
export type OptionalValues<Values> = { readonly [Name in keyof Values]?: Values[Name] | undefined };

/**
 * Takes the options of one table from `given`, checks them, and adds the defaults. It ignores other names;
 * {@link refuseUnknown} rejects those.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function resolveOptions<Table extends Record<string, OptionSpec>>(
  table: Table,
  given: { readonly [Name in keyof Table]?: unknown },
): ValuesOf<Table> {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) {
    const value = given[name];
    if (value !== undefined) checkOption(name, spec, value);
    values[name] = value ?? spec.default;
  }
  return values as ValuesOf<Table>;
}

/**
 * Rejects names of options that do not exist, and suggests the closest one.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function refuseUnknown(given: object, known: readonly string[], where: string): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    throw new YodelError('YODEL_INVALID_OPTION', `${where} has no option "${name}". ${hintFor(name, known)}`);
  }
}

/** The part of an option that decides which values are allowed. */
type AllowedValues = Pick<OptionSpec, 'kind' | 'off' | 'max' | 'choices'>;

/**
 * Rejects a value that the option does not allow.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`, which states the allowed values
 */
export function checkOption(name: string, spec: AllowedValues, value: unknown): void {
  const refuse = (allowed: string): never => {
    const shown = typeof value === 'string' ? `"${value}"` : String(value);
    throw new YodelError('YODEL_INVALID_OPTION', `the option "${name}" takes ${allowed}, not ${shown}`);
  };
  if (spec.choices) {
    if (!spec.choices.includes(value as string)) refuse(`"${spec.choices.join('" or "')}"`);
    return;
  }
  const whole = spec.kind !== 'rate';
  const max = spec.max ?? Number.MAX_SAFE_INTEGER;
  const allowed = `a ${whole ? 'whole ' : ''}number ${spec.off ? 'from 0 (off)' : whole ? 'from 1' : 'above 0'} to ${max}`;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || value > max) return refuse(allowed);
  if ((whole && !Number.isInteger(value)) || (value === 0 && spec.off === undefined)) refuse(allowed);
}
