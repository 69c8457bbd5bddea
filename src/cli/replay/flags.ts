/** The flags of `yodel replay`, as commander parses them. */
import type { JournalFlags } from '../journal/flags.ts';
import type { WireFlags } from '../wire-flags.ts';

/** The flags by name. Times are milliseconds. */
export interface ReplayFlags
  extends Omit<JournalFlags, 'way' | 'grep' | 'follow' | 'transcript' | 'from' | 'to'>,
    WireFlags {
  /** Infinity for max. */
  readonly speed: number;
  readonly timeout: number;
  readonly connectTimeout: number;
  /** NAME=VALUE. */
  readonly var?: readonly string[] | undefined;
}
