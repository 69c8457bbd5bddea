/** What follows what in a file. */
import type { MessageStep, Step, Transcript } from '../transcript.ts';
import { stepsIn, type WalkedStep } from '../walk.ts';

/** Whether a step may make the server send something. */
export function isAction(step: WalkedStep): boolean {
  if (step.kind === 'message') return step.side === '>';
  if (step.kind === 'unordered') return step.steps.some(isAction);
  return step.kind === 'close' || step.kind === 'closed' || step.kind === 'reset';
}

/** The clients whose part of a step may make the server send something. */
export function actorsOf(step: WalkedStep): ReadonlySet<string> {
  if (step.kind === 'unordered') return new Set(step.steps.filter(isAction).map(({ client }) => client));
  return new Set(isAction(step) && 'client' in step ? [step.client] : []);
}

/**
 * The messages from a step on that a client expects before it does anything else, as far as their order is certain. What
 * others do meanwhile does not matter.
 */
export function messagesFrom(step: WalkedStep | undefined, client: string, transcript: Transcript): MessageStep[] {
  const steps = [...stepsIn(transcript)];
  const from = steps.indexOf(step as Step);
  const found: MessageStep[] = [];
  for (const next of from === -1 ? [] : steps.slice(from)) {
    if (next.kind === 'unordered' || next.kind === 'repeat') break;
    if (!('client' in next) || next.client !== client) continue;
    if (next.kind !== 'message' || next.side === '>') break;
    found.push(next);
  }
  return found;
}
