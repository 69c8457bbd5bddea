/** A transcript with what really came in place of what was expected. */
import type { CheckResult, Difference } from './check.ts';
import { formatContent } from './content.ts';

/**
 * The text of the file: lines that were met stay as they are, with their patterns and names; a message that differed
 * replaces its line, one that did not come takes its line away (those behind it, which were not waited for, stay), and one too many is put behind the line after which it came.
 */
export function updatedText({ transcript, differences }: CheckResult): string {
  const lineOf = ({ client, actual }: Difference) => `${client}<${formatContent(actual ?? new Uint8Array(0))}`;
  const lines = transcript.lines.flatMap((line, index) => {
    const here = differences.filter((difference) => difference.line === index + 1);
    const instead = here.filter(({ expected }) => expected !== undefined);
    const more = here.filter(({ expected, actual }) => expected === undefined && actual).map(lineOf);
    const isKept = instead.length === 0 || instead.some(({ skipped }) => skipped);
    const own = isKept ? [line] : instead.filter(({ actual }) => actual).map(lineOf);
    // What came where the server was expected to end, or to say nothing, came before that.
    return /^@(closed|silence)\b/.test(line) ? [...more, ...own] : [...own, ...more];
  });
  return lines.map((line) => `${line}\n`).join('');
}

/** Whether a new text can have what was different: not what was not waited for, nor what no message tells of. */
export function isRewritable({ expected, actual, skipped }: Difference): boolean {
  return !skipped && (expected !== undefined || actual !== undefined);
}
