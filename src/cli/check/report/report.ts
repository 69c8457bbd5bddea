/** What every report of `yodel check` is given. */
import type { Paint } from '../../../terminal/style.ts';
import type { Outcome } from '../outcome.ts';

/** The options of a report. */
export interface ReportOptions {
  /** Number of files. */
  readonly count: number;
  readonly paint: Paint;
  readonly write: (text: string) => void;
}

/** Reports each file after it was played, then the totals. */
export interface CheckReport {
  add(outcome: Outcome): void;
  /** @param updated number of files that were rewritten; undefined without `--update` */
  end(updated: number | undefined): void;
}
