/** The flags of `yodel journal`, as its commands read them. */

/** What the flags of all commands hold. */
export interface JournalFlags {
  readonly since?: number;
  readonly until?: number;
  readonly peer?: string;
  readonly session?: number;
  readonly from?: number;
  readonly to?: number;
  readonly way?: 'in' | 'out';
  readonly grep?: RegExp;
  readonly follow?: boolean;
  readonly transcript?: boolean;
  readonly json?: boolean;
}
