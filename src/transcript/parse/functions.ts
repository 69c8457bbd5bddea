/** The functions of `@use`. */
import { YodelError } from '../../errors.ts';
import { isFunction } from '../content/functions.ts';
import type { OwnFunction } from '../transcript.ts';

const reserved = ['now', 'random', 'env'];

/** The functions that a module exports, by name. @throws YodelError `YODEL_INVALID_OPTION` if one cannot be used */
export function ownFunctions(exported: Readonly<Record<string, unknown>>, path: string): Map<string, OwnFunction> {
  const functions = new Map<string, OwnFunction>();
  for (const [name, value] of Object.entries(exported)) {
    if (typeof value !== 'function' || name === 'default' || !/^[A-Za-z_]\w*$/.test(name)) continue;
    if (reserved.includes(name) || isFunction(name)) {
      const text = `${path} exports "${name}", which is a function of transcripts already; rename it`;
      throw new YodelError('YODEL_INVALID_OPTION', text);
    }
    functions.set(name, value as OwnFunction);
  }
  if (functions.size > 0) return functions;
  const example = 'export function sign(bytes: Uint8Array): string { … }';
  throw new YodelError('YODEL_INVALID_OPTION', `${path} exports no function; example: ${example}`);
}
