/** Certificates and keys are given as text. A path in their place would fail late, or with an error about something else. */
import { YodelError } from '../errors.ts';

/**
 * Refuses what is not the text of a PEM file.
 *
 * @param option where it was given: `tls.ca`
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function checkPem(option: string, value: unknown): void {
  if (typeof value === 'string' && value.includes('-----BEGIN ')) return;
  const what = typeof value === 'string' ? 'not its path' : `not ${value === null ? 'null' : typeof value}`;
  throw new YodelError('YODEL_INVALID_OPTION', `the option "${option}" takes the text of a PEM file, ${what}`);
}
