/** Why requests were rejected when their session ended, or could receive nothing more. */
import { YodelError } from '../../errors.ts';
import type { SessionView } from '../../telemetry/telemetry.ts';

/** Of which session. Only errors that yodel has created: a program may end many sessions with the same error, and throw it in others. */
const ends = new WeakMap<object, SessionView>();
const faults = new WeakMap<object, SessionView>();

/** The reason for requests of a session that ends, or has ended. @param error why it ends; undefined if that is no error */
export function requestEnd(session: SessionView, error: YodelError | undefined): YodelError {
  if (error) return error;
  const reason = withoutError(session);
  ends.set(reason, session);
  return reason;
}

/** The reason for requests of a session whose input is invalid: it ends with this error when its handler gets there. */
export function inputFault(session: SessionView, error: YodelError): YodelError {
  faults.set(error, session);
  return error;
}

/** Whether a handler that threw this only let through that its session's request was rejected because nothing more is received. */
export function isRequestEnd(session: SessionView, thrown: unknown): boolean {
  return isObject(thrown) && (ends.get(thrown) === session || faults.get(thrown) === session);
}

/** Whether that is because the input is invalid. */
export function isInputFault(session: SessionView, thrown: unknown): thrown is YodelError {
  return isObject(thrown) && faults.get(thrown) === session;
}

function isObject(thrown: unknown): thrown is object {
  return typeof thrown === 'object' && thrown !== null;
}

function withoutError({ peer, endedBy }: SessionView): YodelError {
  if (endedBy === 'shutdown') {
    return new YodelError('YODEL_SHUTTING_DOWN', `the server shut down before ${peer} replied`);
  }
  const text = endedBy === 'peer' ? `${peer} ended the connection` : `the session with ${peer} ended`;
  return new YodelError('YODEL_CONNECTION_CLOSED', `${text} before it replied`);
}
