/** The report as TAP, version 14 (https://testanything.org). */
import { escapeText } from '../../../terminal/escape.ts';
import type { Outcome } from '../outcome.ts';
import { detailsOf, summaryOf } from './difference.ts';
import type { CheckReport, ReportOptions } from './report.ts';

/** One test point for each file. An error has `severity: error`, a difference `severity: fail`. */
export function tapReport({ count, write }: ReportOptions): CheckReport {
  let number = 0;
  write(`TAP version 14\n1..${count}\n`);
  return {
    add(outcome) {
      const { file, verdict, elapsedMs } = outcome;
      const name = escapeText(file).replace(/[\\#]/g, '\\$&');
      write(`${verdict === 'ok' ? 'ok' : 'not ok'} ${++number} - ${name} # time=${elapsedMs.toFixed(1)}ms\n`);
      if (verdict !== 'ok') write(diagnosis(outcome));
    },
    end() {},
  };
}

function diagnosis(outcome: Outcome): string {
  const severity = outcome.verdict === 'error' ? 'error' : 'fail';
  const lines = [summaryOf(outcome), ...detailsOf(outcome)];
  return ['  ---', `  severity: ${severity}`, '  message: |', ...lines.map((text) => `    ${text}`), '  ...', ''].join(
    '\n',
  );
}
