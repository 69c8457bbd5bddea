/** Errors for the operator, who may know more than the peer is told. */
import type { ErrorCode, YodelError } from '../errors.ts';

/** The peer gets to know nothing of what lies behind its server. */
const concealed: ReadonlySet<ErrorCode> = new Set(['YODEL_UPSTREAM_FAILED', 'YODEL_COMMAND_FAILED']);

/** Whether something that stands behind the server went wrong. */
export function isBehind({ code }: YodelError): boolean {
  return concealed.has(code);
}

/** What happened, with what was not told to the peer. Not yet harmless. */
export function errorText(error: YodelError): string {
  const { message, cause } = error;
  return isBehind(error) && cause instanceof Error ? `${message}: ${cause.message}` : message;
}
