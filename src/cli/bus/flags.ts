/** The flags of `yodel bus check`, as commander parses them. */
import type { BusFlags } from '../bus-flags.ts';

/** See the top of the file. */
export interface BusCheckFlags extends BusFlags {
  readonly monitor?: string;
  readonly strict?: boolean;
  readonly json?: boolean;
}
