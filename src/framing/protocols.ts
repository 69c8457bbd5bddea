/** The protocols that are known by name. */
import { YodelError } from '../errors.ts';
import { hintFor } from '../suggestion.ts';
import { lines } from './lines.ts';
import type { Protocol } from './protocol.ts';

const protocols: readonly Protocol[] = [{ name: 'lines', framing: lines(), replyFraming: lines(), encoding: 'utf8' }];

/** @throws YodelError `YODEL_INVALID_OPTION` for a name that is not known */
export function protocolNamed(name: string): Protocol {
  const found = protocols.find((one) => one.name === name);
  if (found) return found;
  const names = protocols.map((one) => one.name as string);
  throw new YodelError('YODEL_INVALID_OPTION', `unknown protocol "${name}". ${hintFor(name, names)}`);
}
