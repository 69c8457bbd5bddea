/** Why requests were rejected when their session ended. */
import { YodelError } from '../../errors.ts';
import type { SessionView } from '../../telemetry/telemetry.ts';

const reasons = new WeakSet<object>();

/** The reason for requests of a session that ends, or has ended. @param error why it ends; undefined if that is no error */
export function requestEnd(session: SessionView, error: YodelError | undefined): YodelError {
  const reason = error ?? withoutError(session);
  reasons.add(reason);
  return reason;
}

/** Whether a handler that threw this only let through that its request was rejected because the session ended. */
export function isRequestEnd(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && reasons.has(thrown);
}

function withoutError({ peer, endedBy }: SessionView): YodelError {
  if (endedBy === 'shutdown') {
    return new YodelError('YODEL_SHUTTING_DOWN', `the server shut down before ${peer} replied`);
  }
  const text = endedBy === 'peer' ? `${peer} ended the connection` : `the session with ${peer} ended`;
  return new YodelError('YODEL_CONNECTION_CLOSED', `${text} before it replied`);
}
