/** A framing of the property tests. */

import type { Framing } from '../../../src/framing/framing.ts';
import type { fc } from '../../support/fast-check.ts';
import type { Reference } from '../reference.ts';

export interface Subject {
  readonly name: string;
  readonly framing: Framing;
  /** What the framing decodes a whole input to, as documented. */
  readonly reference: Reference;
  /** Messages, some of which the framing cannot carry. */
  readonly message: fc.Arbitrary<Uint8Array>;
  /** Every frame that could encode these bytes, valid or not; none if there are too many. */
  readonly framesOf: (bytes: Uint8Array) => Uint8Array[];
  /** Input that need not be well-formed. */
  readonly input: fc.Arbitrary<Uint8Array>;
  /** The smallest message that the framing can carry. Default: no bytes. */
  readonly smallest?: number;
  /** Messages of exactly this size. Default: a message, filled up at the front. */
  readonly sized?: (size: number) => Uint8Array;
}
