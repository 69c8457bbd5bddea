/** Peers that connect, and break off before they are accepted. */
import type { Address } from '../address.ts';
import { YodelError } from '../errors.ts';

/**
 * What is told of one. Its address is not known any more: no rule about peers would hold for it, so it is not served, and
 * nobody is there to be answered.
 */
export function goneBefore(at: Address): YodelError {
  return new YodelError('YODEL_CONNECTION_RESET', `a peer broke off before it was accepted on ${at}`);
}
