/** Error texts for the operator, who may see more than the peer. */
import type { ErrorCode, YodelError } from '../errors.ts';

/** Errors of upstream servers and commands. Their causes are hidden from the peer. */
const upstreamCodes: ReadonlySet<ErrorCode> = new Set(['YODEL_UPSTREAM_FAILED', 'YODEL_COMMAND_FAILED']);

/** Whether the error comes from the upstream server of `proxy` or the command of `exec`. */
export function isFromUpstream({ code }: YodelError): boolean {
  return upstreamCodes.has(code);
}

/** The error's message, with the cause that the peer does not see. Not yet escaped. */
export function errorText(error: YodelError): string {
  const { message, cause } = error;
  return isFromUpstream(error) && cause instanceof Error ? `${message}: ${cause.message}` : message;
}
