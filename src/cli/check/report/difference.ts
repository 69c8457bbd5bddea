/** How a difference, or an error, is told in lines. */
import { escapeText } from '../../../terminal/escape.ts';
import type { Paint } from '../../../terminal/style.ts';
import type { CheckResult, Difference } from '../../../transcript/check.ts';
import { formatMessage } from '../../../transcript/message-line.ts';
import { isFlaky, type Outcome } from '../outcome.ts';
import { markedLines } from './marks.ts';

/** Lines of the transcript shown before a difference. */
const contextLines = 2;

/** Characters shown of the value of a name. */
const longestValue = 60;

const plain: Paint = (_style, text) => text;

/** The place and reason of a difference, the lines before it, and the expected and the actual line. */
export function describe({ transcript }: CheckResult, difference: Difference, paint: Paint = plain): string[] {
  const { line, reason, expected } = difference;
  const file = difference.file ?? transcript.file;
  const all = (file === transcript.file ? transcript.lines : transcript.included.get(file)) ?? [];
  const before = all.slice(Math.max(0, line - 1 - contextLines), expected === undefined ? line : line - 1);
  const lines = [`${paint('bold', escapeText(`${file}:${line}`))}: ${escapeText(reason)}`];
  for (const text of before) if (text.trim() !== '') lines.push(`    ${escapeText(text)}`);
  lines.push(...markedLines(expected, actualLine(difference), paint), ...namesIn(difference));
  return lines;
}

/** What the names of the expected line stood for. */
function namesIn({ names }: Difference): string[] {
  const known = Array.from(
    names ?? [],
    ([name, value]) => `{${name}} is ${Buffer.from(value).toString().slice(0, longestValue)}`,
  );
  return known.length === 0 ? [] : [`    ${escapeText(known.join(', '))}`];
}

/** The received message as a line of a transcript. */
function actualLine({ client, received }: Difference): string | undefined {
  return received && `${client}<${formatMessage(received)}`;
}

/** What is wrong with a file, in one line. */
export function summaryOf(outcome: Outcome): string {
  const { error, result, runs, differing } = outcome;
  if (error) return messageOf(error)[0] ?? '';
  const [first] = result?.differences ?? [];
  const flaky = isFlaky(outcome) ? `flaky, ${differing} of ${runs} runs differ: ` : '';
  return `${flaky}${first?.file === undefined ? '' : `${escapeText(first.file)}, `}line ${first?.line}: ${escapeText(first?.reason ?? '')}`;
}

/** All differences of a file, and the rest of an error, in lines. */
export function detailsOf({ error, result }: Outcome): string[] {
  const rest = error ? messageOf(error).slice(1) : [];
  return [...rest, ...(result?.differences ?? []).flatMap((difference) => describe(result as CheckResult, difference))];
}

/** The message of an error and its excerpt, such as the line of a file with a caret, in lines. */
export function messageOf(error: Error): string[] {
  const { excerpt } = error as { readonly excerpt?: unknown };
  const lines = typeof excerpt === 'string' ? excerpt.split('\n') : [];
  return [error.message, ...lines].map(escapeText);
}
