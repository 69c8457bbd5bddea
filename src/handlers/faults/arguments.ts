/** The arguments of each action in the text form. */
import type { YodelError } from '../../errors.ts';
import { parseQuantity } from '../../format/units.ts';
import { actionForm, type FaultAction, type FaultKind } from './fault.ts';
import type { Words } from './words.ts';

/** Reads the arguments of an action. @throws YodelError `YODEL_INVALID_OPTION` */
export function parseArguments(kind: FaultKind, words: Words): FaultAction {
  const args = new Arguments(kind, words);
  switch (kind) {
    case 'latency':
      return latency(args);
    case 'bandwidth':
      return { kind, rate: args.required(rateOf) };
    case 'chunk':
      return chunk(args);
    case 'corrupt':
      return corrupt(args);
    case 'duplicate':
      return { kind, ...args.named('copies', countOf) };
    case 'reorder':
      return { kind, ...args.named('distance', countOf), ...args.named('within', timeOf) };
    case 'blackhole':
      return { kind, ...args.named('time', timeOf) };
    case 'limit':
      return limit(args);
    case 'slow-close':
      return { kind, time: args.required(timeOf) };
    default:
      return { kind };
  }
}

type Read<Value> = (text: string) => Value | undefined;

class Arguments {
  readonly #kind: FaultKind;
  readonly #words: Words;

  constructor(kind: FaultKind, words: Words) {
    this.#kind = kind;
    this.#words = words;
  }

  /** The next argument, if there is one that `read` accepts. */
  optional<Value>(read: Read<Value>): Value | undefined {
    const word = this.#words.peek();
    const value = word && read(word.text);
    if (value !== undefined) this.#words.next();
    return value;
  }

  /** The same as a property. */
  named<Name extends string, Value>(name: Name, read: Read<Value>): { readonly [Key in Name]?: Value } {
    const value = this.optional(read);
    return (value === undefined ? {} : { [name]: value }) as { readonly [Key in Name]?: Value };
  }

  required<Value>(read: Read<Value>): Value {
    const value = this.optional(read);
    if (value === undefined) throw this.error();
    return value;
  }

  error(): YodelError {
    const word = this.#words.peek();
    const found = word ? `, not "${word.text}"` : '';
    return this.#words.error(word, `it takes ${actionForm(this.#kind)}${found}`);
  }
}

function latency(args: Arguments): FaultAction {
  const [time, jitter] = args.required(varied(timeOf));
  return { kind: 'latency', time, ...(jitter !== undefined && { jitter }) };
}

function chunk(args: Arguments): FaultAction {
  const [size, variation] = args.required(varied(sizeOf));
  if (variation !== undefined && variation >= size) throw args.error();
  return { kind: 'chunk', size, ...(variation !== undefined && { variation }), ...args.named('interval', timeOf) };
}

function corrupt(args: Arguments): FaultAction {
  const bits = args.named('bits', countOf);
  const isFrame = args.optional((text) => (text === 'frame' ? true : undefined));
  return { kind: 'corrupt', ...bits, ...(isFrame && { frame: true }) };
}

function limit(args: Arguments): FaultAction {
  const time = args.optional((text) => (/^\d+(\.\d+)?(ms|s|min|h|d)$/i.test(text) ? timeOf(text) : undefined));
  if (time !== undefined) return { kind: 'limit', time };
  // Minutes or mebibytes: neither is guessed.
  const size = args.required((text) => (/^\d+m$/i.test(text) ? undefined : sizeOf(text)));
  const isCount = args.optional((text) => (/^messages?$/.test(text) ? true : undefined));
  return isCount ? { kind: 'limit', messages: size } : { kind: 'limit', bytes: size };
}

/** Two values, the second after `±`, `+-` or `+/-`. */
function varied(read: Read<number>): Read<readonly [number, number | undefined]> {
  return (text) => {
    const [first = '', second, ...more] = text.split(/±|\+-|\+\/-/);
    const values = [read(first), second === undefined ? undefined : read(second)] as const;
    const isValid = values[0] !== undefined && (second === undefined || values[1] !== undefined) && more.length === 0;
    return isValid ? [values[0] as number, values[1]] : undefined;
  };
}

/** A time has a unit, except 0. */
function timeOf(text: string): number | undefined {
  return /^off$/i.test(text) ? undefined : parseQuantity('duration', text);
}

function countOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
}

function sizeOf(text: string): number | undefined {
  return /^off$/i.test(text) ? undefined : parseQuantity('size', text) || undefined;
}

/** Bytes per second; the `/s` may be left out. */
function rateOf(text: string): number | undefined {
  return sizeOf(text.replace(/\/s(ec)?$/i, ''));
}
