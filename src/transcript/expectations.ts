import { YodelError } from '../errors.ts';
import type { Step, Transcript } from './transcript.ts';

/**
 * Rejects a transcript that no server can fail: a check of it would be green whatever the server does.
 *
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT`
 */
export function refuseWithoutExpectations({ file, steps }: Transcript): void {
  if (expectsSomething({ steps })) return;
  const text = `${file} expects nothing, so every server would pass: write what it must send on lines that begin with "< "`;
  throw new YodelError('YODEL_INVALID_TRANSCRIPT', `${text}; check --update writes what it sends now`);
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
