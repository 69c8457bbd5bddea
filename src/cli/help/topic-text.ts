/** Lays out a topic of the help for a terminal. */
import { wrap } from '../../terminal/layout.ts';
import type { TopicPart } from './topics.ts';

const indent = '  ';
/** Longer terms are printed on a separate line. */
const widestTerm = 28;

/** The text of a topic. @param width columns */
export function topicText(parts: readonly TopicPart[], width: number): string {
  return parts.map((part) => `${linesOf(part, width).join('\n')}\n`).join('\n');
}

function linesOf(part: TopicPart, width: number): readonly string[] {
  if ('text' in part) return wrap(part.text, width);
  if ('lines' in part) return part.lines.map((line) => `${indent}${line}`);
  const column = Math.min(widestTerm, Math.max(...part.rows.map(([term]) => term.length))) + indent.length;
  return part.rows.flatMap(([term, meaning]) => {
    const [first = '', ...rest] = wrap(meaning, width - indent.length - column);
    const below = rest.map((line) => indent + ' '.repeat(column) + line);
    if (term.length <= column - indent.length) return [indent + term.padEnd(column) + first, ...below];
    return [indent + term, indent + ' '.repeat(column) + first, ...below];
  });
}
