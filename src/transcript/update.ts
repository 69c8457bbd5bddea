import type { CheckResult, Difference } from './check.ts';
import { formatMessage } from './message-line.ts';

/**
 * The text of a transcript, updated to what the server sent. Lines that matched stay as they are, including patterns and
 * names. A different message replaces its line. The line of a missing message is removed, but skipped lines after it stay.
 * An unexpected message is added after the line at which it arrived.
 */
export function updatedText({ transcript, differences }: CheckResult): string {
  const lineOf = ({ client, received }: Difference) => `${client}<${received ? formatMessage(received) : ''}`;
  const lines = transcript.lines.flatMap((line, index) => {
    const here = differences.filter((difference) => difference.line === index + 1);
    const instead = here.filter(({ expected }) => expected !== undefined);
    const more = here.filter(({ expected, actual }) => expected === undefined && actual).map(lineOf);
    const isKept = instead.length === 0 || instead.some(({ skipped }) => skipped);
    const own = isKept ? [line] : instead.filter(({ actual }) => actual).map(lineOf);
    // A message that arrived instead of the expected end or silence precedes that line.
    return /^@(closed|silence)\b/.test(line) ? [...more, ...own] : [...own, ...more];
  });
  return lines.map((line) => `${line}\n`).join('');
}

/** Whether an update can express a difference: not a skipped line, nor a failure without a message. */
export function isRewritable({ expected, actual, skipped }: Difference): boolean {
  return !skipped && (expected !== undefined || actual !== undefined);
}
