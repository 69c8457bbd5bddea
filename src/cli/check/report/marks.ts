/**
 * Marks where two lines differ. On a terminal the differing part is bold, elsewhere there is a line of `^` below it. Of a
 * long line only the part around the difference is shown.
 */
import { escapeText } from '../../../terminal/escape.ts';
import type { Paint } from '../../../terminal/style.ts';
import { widthOf } from '../../../terminal/text.ts';

/** Longer lines are shortened to the part around their difference, in characters. */
const longLine = 160;
/** In shorter lines a difference is seen without a mark. */
const shortLine = 24;
/** Characters shown before and after the difference in a long line. */
const around = 40;
/** Characters shown of the difference itself. */
const longestMark = 60;

/** The differing parts of two texts, as offsets. */
interface Span {
  readonly from: number;
  readonly actualFrom: number;
  readonly expectedTo: number;
  readonly actualTo: number;
}

/**
 * The expected and the received line, with marks if both are there.
 *
 * @param expected the line of the transcript, not escaped
 * @param actual the received message as a line, not escaped
 */
export function markedLines(expected: string | undefined, actual: string | undefined, paint: Paint): string[] {
  const span = expected === undefined || actual === undefined ? undefined : differingPart(expected, actual);
  const isPainted = paint('bold', '') !== '';
  const lines: string[] = [];
  if (expected !== undefined) lines.push(shown('-', expected, span && [span.from, span.expectedTo], 'red', paint).line);
  if (actual === undefined) return lines;
  const last = shown('+', actual, span && [span.actualFrom, span.actualTo], 'green', paint);
  lines.push(last.line);
  const isShort = Math.max(expected?.length ?? 0, actual.length) <= shortLine;
  if (span && !isPainted && !isShort) lines.push(last.mark);
  return lines;
}

function shown(
  sign: string,
  text: string,
  marked: readonly [from: number, to: number] | undefined,
  style: 'red' | 'green',
  paint: Paint,
): { readonly line: string; readonly mark: string } {
  const [from, to] = marked ?? [0, 0];
  const isLong = marked !== undefined && text.length > longLine;
  const start = isLong ? Math.max(0, from - around) : 0;
  const markEnd = isLong ? Math.min(to, from + longestMark) : to;
  const end = isLong ? Math.min(text.length, Math.max(markEnd + around, start + longLine / 2)) : text.length;
  const before = `  ${sign} ${start > 0 ? `… ${start} characters … ` : ''}${escapeText(text.slice(start, from))}`;
  const differing = escapeText(text.slice(from, markEnd));
  const left = text.length - end;
  const after = `${escapeText(text.slice(markEnd, end))}${left > 0 ? ` … ${left} characters` : ''}`;
  const line = paint(style, before) + (differing === '' ? '' : paint('bold', paint(style, differing)));
  const mark = ' '.repeat(widthOf(before)) + '^'.repeat(Math.max(1, widthOf(differing)));
  return { line: after === '' ? line : line + paint(style, after), mark };
}

/**
 * Where two lines differ. Undefined when that cannot be said by characters: the expected line is a pattern or JSON, or only
 * the value of a name differs.
 */
export function differingPart(expected: string, actual: string): Span | undefined {
  const body = expected.replace(/^[\w-]*[<>]\??/, '');
  if (/^(?:j|h? ?\/)/.test(body) || /\| ?(?:j|\/)/.test(body)) return undefined;
  // What a name stands for is not known here: only the texts between names are compared.
  const literals = literalsOf(expected);
  if (literals[0]?.text === expected) return between(expected, 0, expected.length, actual, 0);
  return differingLiteral(expected, literals, actual);
}

/** A text between names, and where it is. */
interface Literal {
  readonly text: string;
  readonly index: number;
}

/** `{name}`, `{name:2}`, `{name=default}`, and functions. */
const nameForm = /(?<!\\)\{[A-Za-z_]\w*(?:[:=][^{}]*)?\}/g;

function literalsOf(line: string): Literal[] {
  let from = 0;
  const literals: Literal[] = [];
  for (const { 0: name, index } of [...line.matchAll(nameForm), { 0: '', index: line.length }]) {
    if (index > from) literals.push({ text: line.slice(from, index), index: from });
    from = index + name.length;
  }
  return literals;
}

function differingLiteral(expected: string, literals: readonly Literal[], actual: string): Span | undefined {
  let at = 0;
  for (const { text: literal, index } of literals) {
    const end = index + literal.length;
    const isLast = end === expected.length;
    const found = index === 0 ? (actual.startsWith(literal) ? 0 : -1) : actual.indexOf(literal, at);
    const isAtEnd = !isLast || actual.endsWith(literal);
    if (found === -1 || !isAtEnd) return between(expected, index, end, actual, at);
    at = found + literal.length;
  }
  return undefined;
}

/** The differing part of a piece of the expected line, and of the received line from an offset on. */
function between(expected: string, start: number, end: number, actual: string, at: number): Span {
  const piece = expected.slice(start, end);
  const isFirst = start === 0;
  const same = isFirst ? commonStart(piece, actual) : 0;
  const tail = end === expected.length ? commonEnd(piece.slice(same), actual.slice(at + same)) : 0;
  const from = isFirst ? same : at;
  return { from: isFirst ? same : start, actualFrom: from, expectedTo: end - tail, actualTo: actual.length - tail };
}

function commonStart(a: string, b: string): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  // Not between the halves of a character.
  return /[\ud800-\udbff]/.test(a[at - 1] ?? '') ? at - 1 : at;
}

function commonEnd(a: string, b: string): number {
  let count = 0;
  while (count < a.length && count < b.length && a[a.length - 1 - count] === b[b.length - 1 - count]) count++;
  return /[\udc00-\udfff]/.test(a[a.length - count] ?? '') ? count - 1 : count;
}
