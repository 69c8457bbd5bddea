/** The formats of the report: text, TAP (version 14), JUnit XML. */
import { junitReport } from './junit.ts';
import type { CheckReport, ReportOptions } from './report.ts';
import { tapReport } from './tap.ts';
import { textReport } from './text.ts';

/** The names of the formats, and what makes their reports. */
export const reportFormats: Readonly<Record<'text' | 'tap' | 'junit', (options: ReportOptions) => CheckReport>> = {
  text: textReport,
  tap: tapReport,
  junit: junitReport,
};
