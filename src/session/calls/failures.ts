/** What handlers throw, and where it is reported. */
import { isOwnError, YodelError } from '../../errors.ts';
import type { SessionView, Telemetry } from '../../telemetry/telemetry.ts';
import { isRequestEnd } from '../requests/request-end.ts';

/** Hides the handler's internals from the peer: only `cause` has them. */
export function handlerFailure(thrown: unknown): YodelError {
  return new YodelError('YODEL_HANDLER_FAILED', 'the handler failed on the server', { cause: thrown });
}

/** Reports what a handler threw after its session was closed and its end was reported: it can only be reported on its own. */
export function reportLate(thrown: unknown, session: SessionView, telemetry: Telemetry): void {
  const error = isOwnError(thrown) ? thrown : handlerFailure(thrown);
  telemetry.countError(error);
  telemetry.handlerFailed(session, error);
}

/**
 * Whether a handler that was waiting when its session closed has failed only because `signal` aborted what it waited for, or because
 * its request to the peer was rejected.
 */
export function isAbort(session: SessionView, thrown: unknown, reason: YodelError | undefined): boolean {
  if (!(thrown instanceof Error)) return false;
  return thrown === reason || thrown.name === 'AbortError' || isRequestEnd(session, thrown);
}
