/** Whether a side can play its part of a transcript, seen before it begins. */
import { namesIn } from './content.ts';
import { unencodable } from './frames.ts';
import { type MessageStep, type Side, type Transcript, TranscriptError } from './transcript.ts';

/** What the errors say to whoever plays that side. */
const words: Readonly<Record<Side, { readonly pattern: string; readonly unknown: (name: string) => string }>> = {
  '>': {
    pattern: 'a client cannot send a pattern; a text that begins and ends with / is written with escapes: >\\ \\/…',
    unknown: (name) =>
      `{${name}} stands for nothing yet: no line before has it; the text itself is written with escapes: >\\ \\{${name}}`,
  },
  '<': {
    pattern: 'a server cannot send a pattern; write what it shall send',
    unknown: (name) => `{${name}} stands for nothing yet: no line of a client before has it`,
  },
};

/** What the side that is played sends must be known when its turn comes, and be such as can be sent. @throws TranscriptError */
export function refuseUnplayable(transcript: Transcript, played: Side): void {
  const known = new Set<string>();
  for (const step of transcript.steps) {
    if (step.kind !== 'message') continue;
    if (step.side !== played) for (const name of namesIn(step.content)) known.add(name);
    else {
      const problem = problemOf(transcript, step, known);
      if (problem === undefined) continue;
      const source = transcript.lines[step.line - 1] ?? '';
      throw new TranscriptError(transcript.file, step.line, source.search(/[<>]/) + 3, problem, source);
    }
  }
}

function problemOf(transcript: Transcript, step: MessageStep, known: ReadonlySet<string>): string | undefined {
  const { content, side } = step;
  if (content.kind === 'pattern') return words[side].pattern;
  const unknown = namesIn(content).find((name) => !known.has(name));
  return unknown === undefined ? unencodable(transcript, content) : words[side].unknown(unknown);
}
