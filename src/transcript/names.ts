/** The names that a transcript uses. */
import { allNamesIn } from './content.ts';
import type { Content, Step, Transcript } from './transcript.ts';
import { stepsIn } from './walk.ts';

/** What a step has in braces, and patterns. */
export function contentsOf(step: Step): Content[] {
  if (step.kind === 'message') return step.header ? [step.header, step.content] : [step.content];
  if (step.kind === 'set') return [step.value];
  return step.kind === 'connect' && step.address ? [step.address] : [];
}

/** All names, sorted. */
export function namesOfTranscript(transcript: Pick<Transcript, 'steps'>): string[] {
  const names = new Set<string>();
  for (const step of stepsIn(transcript)) {
    for (const content of contentsOf(step)) for (const name of allNamesIn(content)) names.add(name);
    if ((step.kind === 'set' || step.kind === 'repeat') && step.name !== undefined) names.add(step.name);
  }
  return [...names].sort();
}
