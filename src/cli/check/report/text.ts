/** The report as text. */
import { formatPlural, formatSeconds } from '../../../format/figures.ts';
import { escapeText } from '../../../terminal/escape.ts';
import type { Paint } from '../../../terminal/style.ts';
import type { CheckResult, Difference } from '../../../transcript/check.ts';
import { isFlaky, type Outcome } from '../outcome.ts';
import { describe, messageOf } from './difference.ts';
import type { CheckReport, ReportOptions } from './report.ts';

/** One line for each file, its differences, and the totals. */
export function textReport({ count, paint, write }: ReportOptions): CheckReport {
  const outcomes: Outcome[] = [];
  return {
    add(outcome) {
      outcomes.push(outcome);
      const { file, verdict, error, result } = outcome;
      const name = escapeText(file);
      if (verdict === 'error') {
        write(`${paint('red', 'error')}   ${name}: ${indented(messageOf(error as Error))}\n`);
        if (!result) return;
      } else if (verdict === 'ok') {
        write(`${paint('green', 'ok')}      ${name}: ${expectedText(outcome)}${timeOf(outcome, paint)}\n`);
        return;
      } else write(`${paint('red', 'differs')} ${name}: ${differsText(outcome)}${timeOf(outcome, paint)}\n`);
      for (const difference of result?.differences ?? []) {
        write(`\n${describe(result as CheckResult, difference, paint).join('\n')}\n`);
      }
      write('\n');
    },
    end(updated) {
      write(`${formatPlural(count, 'transcript')}: ${verdictOf(outcomes)}; ${metText(outcomes)}\n`);
      for (const one of outcomes.filter(isFlaky)) {
        write(`flaky: ${escapeText(one.file)} (${one.differing} of ${one.runs} runs differ)\n`);
      }
      if (updated) write(`rewritten: ${formatPlural(updated, 'file')}\n`);
    },
  };
}

function expectedText({ result, runs, rewritten }: Outcome): string {
  if (rewritten) return `${rewritten} for ${formatPlural(result?.differences.length ?? 0, 'difference')}`;
  const times = runs > 1 ? `, in each of ${runs} runs` : '';
  return `${formatPlural(result?.expected ?? 0, 'message')} as expected${times}`;
}

function differsText({ result, runs, differing }: Outcome): string {
  const count = formatPlural(result?.differences.length ?? 0, 'difference');
  if (runs === 1) return count;
  return differing === runs
    ? `${count}, in each of ${runs} runs`
    : `flaky, ${differing} of ${runs} runs differ: ${count}`;
}

function timeOf({ elapsedMs }: Outcome, paint: Paint): string {
  return `, ${paint('dim', formatSeconds(elapsedMs / 1000))}`;
}

/** The lines after the first one are indented, so that each file is seen at the beginning of a line. */
function indented(lines: readonly string[]): string {
  return lines.map((line, index) => (index === 0 ? line : `        ${line}`)).join('\n');
}

function verdictOf(outcomes: readonly Outcome[]): string {
  const differ = outcomes.filter(({ verdict }) => verdict === 'differs').length;
  const errors = outcomes.filter(({ verdict }) => verdict === 'error').length;
  const rewrittenAs = (how: Outcome['rewritten']) =>
    outcomes.filter(({ verdict, rewritten }) => verdict === 'ok' && rewritten === how).length;
  const [updated, masked] = [rewrittenAs('updated'), rewrittenAs('masked')];
  const parts = [
    ...(differ > 0 ? [`${differ} ${differ === 1 ? 'differs' : 'differ'}`] : []),
    ...(errors > 0 ? [formatPlural(errors, 'error')] : []),
    ...(updated > 0 ? [`${updated} updated`] : []),
    ...(masked > 0 ? [`${masked} masked`] : []),
  ];
  return parts.length === 0 ? 'all as expected' : parts.join(', ');
}

/** How many of the messages that were expected have arrived. */
function metText(outcomes: readonly Outcome[]): string {
  let [messages, met] = [0, 0];
  for (const { result } of outcomes) {
    if (!result) continue;
    const missed = new Set(result.differences.filter((one) => one.expected !== undefined).map(placeOf)).size;
    messages += result.expected;
    met += Math.max(0, result.expected - missed);
  }
  const before = outcomes.some(({ rewritten }) => rewritten) ? ' before' : '';
  return `${met} of ${messages} messages as expected${before}`;
}

function placeOf({ file = '', line }: Difference): string {
  return `${file}:${line}`;
}
