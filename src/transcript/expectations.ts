import { YodelError } from '../errors.ts';
import type { Step, Transcript } from './transcript.ts';

/**
 * Rejects a transcript that no server can fail: a check of it would be green whatever the server does.
 *
 * @param hint what else helps, besides such lines
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT`
 */
export function refuseWithoutExpectations(
  { file, steps }: Transcript,
  hint = 'check --update writes what it sends now',
): void {
  if (expectsSomething({ steps })) return;
  const text = `${file} expects nothing, so every server would pass: write what it must send on lines that begin with "< "`;
  throw new YodelError('YODEL_INVALID_TRANSCRIPT', `${text}; ${hint}`);
}

/** Whether a transcript expects anything of the server. */
export function expectsSomething({ steps }: Pick<Transcript, 'steps'>): boolean {
  return steps.some(expects);
}

/** Whether a server can fail to do what the step says. */
function expects(step: Step): boolean {
  if (step.kind === 'repeat' || step.kind === 'unordered') return step.steps.some(expects);
  if (step.kind === 'message') return step.side === '<' && !step.isOptional;
  return step.kind === 'closed' || step.kind === 'silence' || step.kind === 'starttls';
}

/**
 * Rejects a transcript that asks nothing of its clients: a mock of it would be satisfied with any client.
 *
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT`
 */
export function refuseWithoutConversation({ file, steps }: Transcript): void {
  if (steps.some(isRequired)) return;
  const text = `${file} has no message that must be sent or received, so every client would pass`;
  throw new YodelError(
    'YODEL_INVALID_TRANSCRIPT',
    `${text}; write what clients must send on lines that begin with "> "`,
  );
}

/** Whether a client takes part in the step, and must. */
function isRequired(step: Step): boolean {
  if (step.kind === 'repeat' || step.kind === 'unordered') return step.steps.some(isRequired);
  if (step.kind === 'message') return !step.isOptional;
  return step.kind !== 'any' && 'client' in step;
}
