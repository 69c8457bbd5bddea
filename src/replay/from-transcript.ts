import type { Transcript } from '../transcript/transcript.ts';
import { type WalkedStep, walked } from '../transcript/walk.ts';
import type { ReplaySize } from './step.ts';

/** How much a replay of a transcript plays: blocks as often as they are repeated. */
export function sizeOfTranscript({ steps, clients }: Transcript): ReplaySize {
  let [sends, expects] = [0, 0];
  const count = (step: WalkedStep) => {
    if (step.kind === 'unordered') for (const one of step.steps) count(one);
    else if (step.kind === 'message' && step.side === '>') sends++;
    else if (step.kind === 'message' && !step.isOptional) expects++;
  };
  for (const step of walked(steps)) count(step);
  return { sessions: clients.length, sends, expects };
}
