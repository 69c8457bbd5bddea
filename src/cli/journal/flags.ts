/** The flags of `yodel journal`, as commander parses them. */

/** The flags of all its commands. Times are milliseconds since 1970. */
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
