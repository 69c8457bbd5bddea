/** The flags of `yodel replay`, as the command reads them. */
import type { JournalFlags } from '../journal/flags.ts';

/** What `yodel replay` was asked for. */
export interface ReplayFlags extends Omit<JournalFlags, 'way' | 'grep' | 'follow' | 'transcript' | 'from' | 'to'> {
  readonly speed: number;
  readonly timeout: number;
  readonly connectTimeout: number;
}
