/** The report of `yodel check`: as text, as TAP (version 14), or as JUnit XML. */
import { formatPlural, formatSeconds } from '../../format/figures.ts';
import { escapeMarkup } from '../../report/html.ts';
import { escapeText } from '../../terminal/escape.ts';
import type { Paint } from '../../terminal/style.ts';
import type { CheckResult, Difference } from '../../transcript/check.ts';
import { formatMessage } from '../../transcript/message-line.ts';

/** The options of a report. */
export interface ReportOptions {
  /** Number of transcripts. */
  readonly count: number;
  readonly paint: Paint;
  readonly write: (text: string) => void;
}

/** Reports each transcript after it was played, then the totals. */
export interface CheckReport {
  add(result: CheckResult): void;
  /** @param updated number of files that were rewritten; undefined without `--update` */
  end(updated: number | undefined): void;
}

/** @param format text, tap or junit */
export function checkReport(format: string, options: ReportOptions): CheckReport {
  return format === 'tap' ? tapReport(options) : format === 'junit' ? junitReport(options) : textReport(options);
}

/** Lines of the transcript shown before a difference. */
const contextLines = 2;

function textReport({ count, paint, write }: ReportOptions): CheckReport {
  let differ = 0;
  let messages = 0;
  let met = 0;
  return {
    add(result) {
      const { transcript, differences, expected, elapsedMs } = result;
      const missed = new Set(differences.filter((one) => one.expected !== undefined).map(({ line }) => line)).size;
      messages += expected;
      met += expected - missed;
      const time = paint('dim', formatSeconds(elapsedMs / 1000));
      const file = escapeText(transcript.file);
      if (differences.length === 0) {
        write(`${paint('green', 'ok')}      ${file}: ${formatPlural(expected, 'message')} as expected, ${time}\n`);
        return;
      }
      differ++;
      write(`${paint('red', 'differs')} ${file}: ${formatPlural(differences.length, 'difference')}, ${time}\n`);
      for (const difference of differences) write(`\n${describe(result, difference, paint).join('\n')}\n`);
      write('\n');
    },
    end(updated) {
      const verdict = differ === 0 ? 'all as expected' : `${differ} ${differ === 1 ? 'differs' : 'differ'}`;
      write(`${formatPlural(count, 'transcript')}: ${verdict}; ${met} of ${messages} messages as expected\n`);
      if (updated) write(`rewritten: ${formatPlural(updated, 'file')}\n`);
    },
  };
}

/** The place and reason of a difference, the lines before it, and the expected and the actual line. */
function describe({ transcript }: CheckResult, difference: Difference, paint: Paint): string[] {
  const { line, reason, expected } = difference;
  const before = transcript.lines.slice(Math.max(0, line - 1 - contextLines), expected === undefined ? line : line - 1);
  const lines = [`${paint('bold', escapeText(`${transcript.file}:${line}`))}: ${escapeText(reason)}`];
  for (const text of before) if (text.trim() !== '') lines.push(`    ${escapeText(text)}`);
  if (expected !== undefined) lines.push(paint('red', `  - ${escapeText(expected)}`));
  const actual = actualLine(difference);
  if (actual !== undefined) lines.push(paint('green', `  + ${actual}`));
  return lines;
}

const plain: Paint = (_style, text) => text;

/** The received message as a line of a transcript. */
function actualLine({ client, received }: Difference): string | undefined {
  return received && escapeText(`${client}<${formatMessage(received)}`);
}

function tapReport({ count, write }: ReportOptions): CheckReport {
  let number = 0;
  write(`TAP version 14\n1..${count}\n`);
  return {
    add(result) {
      const { transcript, differences, elapsedMs } = result;
      const name = escapeText(transcript.file).replace(/[\\#]/g, '\\$&');
      write(`${differences.length === 0 ? 'ok' : 'not ok'} ${++number} - ${name} # time=${elapsedMs.toFixed(1)}ms\n`);
      if (differences.length === 0) return;
      const lines = differences.flatMap((difference) => describe(result, difference, plain));
      write(['  ---', '  message: |', ...lines.map((text) => `    ${text}`), '  ...', ''].join('\n'));
    },
    end() {},
  };
}

function junitReport({ write }: ReportOptions): CheckReport {
  const cases: string[] = [];
  let tests = 0;
  let failures = 0;
  let elapsed = 0;
  return {
    add(result) {
      const { transcript, differences, elapsedMs } = result;
      tests++;
      elapsed += elapsedMs;
      const open = `  <testcase classname="yodel.check" name="${xml(transcript.file)}" time="${(elapsedMs / 1000).toFixed(3)}"`;
      if (differences.length === 0) {
        cases.push(`${open}/>`);
        return;
      }
      failures++;
      const [first] = differences;
      const text = differences.flatMap((difference) => describe(result, difference, plain)).join('\n');
      const message = `line ${first?.line}: ${first?.reason}`;
      cases.push(`${open}>`, `    <failure message="${xml(message)}">${xml(text)}</failure>`, '  </testcase>');
    },
    end() {
      const time = (elapsed / 1000).toFixed(3);
      const head = `<testsuite name="yodel check" tests="${tests}" failures="${failures}" errors="0" time="${time}">`;
      write(['<?xml version="1.0" encoding="UTF-8"?>', head, ...cases, '</testsuite>', ''].join('\n'));
    },
  };
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
