/** The report as JUnit XML, as most CI systems read it. */
import { escapeMarkup } from '../../../report/html.ts';
import type { Outcome } from '../outcome.ts';
import { detailsOf, summaryOf } from './difference.ts';
import type { CheckReport, ReportOptions } from './report.ts';

/** One test case for each file: a difference is a `failure`, anything that kept it from being checked an `error`. */
export function junitReport({ write }: ReportOptions): CheckReport {
  const outcomes: Outcome[] = [];
  return {
    add: (outcome) => void outcomes.push(outcome),
    end() {
      const of = (verdict: Outcome['verdict']) => outcomes.filter((one) => one.verdict === verdict).length;
      const time = outcomes.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0);
      const counts = `tests="${outcomes.length}" failures="${of('differs')}" errors="${of('error')}"`;
      const suite = `<testsuite name="yodel check" ${counts} skipped="0" time="${seconds(time)}">`;
      const lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        suite,
        ...outcomes.flatMap(testCase),
        '</testsuite>',
        '',
      ];
      write(lines.join('\n'));
    },
  };
}

function testCase(outcome: Outcome): string[] {
  const { file, verdict, elapsedMs, error } = outcome;
  const open = `  <testcase classname="yodel.check" name="${xml(file)}" time="${seconds(elapsedMs)}"`;
  if (verdict === 'ok') return [`${open}/>`];
  const element = verdict === 'error' ? 'error' : 'failure';
  const type = error ? (((error as { code?: string }).code ?? error.name) as string) : 'difference';
  const text = [summaryOf(outcome), ...detailsOf(outcome)].join('\n');
  const start = `    <${element} message="${xml(summaryOf(outcome))}" type="${xml(type)}">`;
  return [`${open}>`, `${start}${xml(text)}</${element}>`, '  </testcase>'];
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3);
}

/** Text for XML. Its newlines stay, although an attribute shows them as spaces. */
function xml(text: string): string {
  // U+FFFE and U+FFFF are not allowed in XML, not even escaped.
  return text
    .split('\n')
    .map(escapeMarkup)
    .join('\n')
    .replace(/[\ufffe\uffff]/g, '\ufffd');
}
