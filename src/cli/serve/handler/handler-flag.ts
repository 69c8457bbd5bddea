/** A flag about the handler, as a row of a table. */
import { InvalidArgumentError, Option } from 'commander';
import { parseQuantity, unitForms } from '../../../format/units.ts';
import { envName } from '../../flags.ts';

/** A flag and its value. */
export interface HandlerFlag {
  /** As in the help: `--delay <time>`. */
  readonly flags: string;
  readonly description: string;
  readonly default?: string;
  /** Throws for an invalid value; undefined for a flag without a value. */
  readonly check?: (text: string) => unknown;
  /** Whether the value is a list of words, and giving the flag again adds to it. */
  readonly isList?: boolean;
  /** Whether giving the flag again adds another value. */
  readonly canRepeat?: boolean;
}

/** The option of commander. */
export function optionOf({ flags, description, default: value, check, isList, canRepeat }: HandlerFlag): Option {
  const option = new Option(flags, description);
  if (value !== undefined) option.default(value);
  if (check) option.argParser(checked(check));
  if (isList) {
    option.argParser((text, previous: string[] | undefined) => [...(previous ?? []), ...text.split(/[\s,]+/)]);
  }
  if (check && canRepeat) {
    option.argParser((text, previous: string[] | undefined) => [...(previous ?? []), checked(check)(text)]);
  }
  return option.env(envName(option.name()));
}

/** A parser that checks a value and keeps its text, which is how settings are printed. */
function checked(check: (text: string) => unknown): (text: string) => string {
  return (text) => {
    check(text);
    return text;
  };
}

/** A check that a value is a quantity. */
export function quantityOfKind(kind: 'count' | 'size' | 'duration'): (text: string) => void {
  return (text) => {
    if (parseQuantity(kind, text) === undefined) throw new InvalidArgumentError(`It takes ${unitForms[kind]}.`);
  };
}

/** A quantity among the flags, in the unit of the library; undefined if it is not set. */
export function quantityOf(
  flags: Readonly<Record<string, unknown>>,
  kind: 'count' | 'size' | 'duration',
  name: string,
): number | undefined {
  return flags[name] === undefined ? undefined : parseQuantity(kind, String(flags[name]));
}
