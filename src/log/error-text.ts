/** Error texts for the operator, who may see more than the peer. */
import type { Address } from '../address.ts';
import { type ErrorCode, isOwnCode, type YodelError } from '../errors.ts';
import type { SessionView } from '../telemetry/telemetry.ts';

/** Errors of upstream servers and commands. Their causes are hidden from the peer. */
const upstreamCodes: ReadonlySet<ErrorCode> = new Set(['YODEL_UPSTREAM_FAILED', 'YODEL_COMMAND_FAILED']);

/** Whether the error comes from the upstream server of `proxy` or the command of `exec`. */
export function isFromUpstream({ code }: YodelError): boolean {
  return upstreamCodes.has(code as ErrorCode);
}

/**
 * Whether a session that ended with an error was a health check: the peer sent nothing, received at most a greeting, and reset
 * its connection, or ended that of a WebSocket without a close frame, to learn whether the server listens or accepts a handshake.
 * That is no reason for a warning.
 */
export function isHealthCheck(session: SessionView, { code }: YodelError): boolean {
  const { bytesReceived, messagesSent, framing, protocol } = session;
  if (bytesReceived > 0 || (code !== 'YODEL_CONNECTION_RESET' && code !== 'YODEL_NETWORK')) return false;
  // Only a peer with a framing of its own, such as WebSocket, has a close frame to send.
  if (code === 'YODEL_NETWORK' && framing === protocol.framing) return false;
  return messagesSent <= Math.max(1, protocol.greeting ?? 0);
}

/**
 * Whether a refusal is no reason for a warning: a peer reset its connection before it was accepted (nothing more is known of it,
 * and most of them are health checks), or the server is shutting down.
 */
export function isUsualRefusal(peer: Address | undefined, { code }: YodelError): boolean {
  return code === 'YODEL_SHUTTING_DOWN' || (peer === undefined && code === 'YODEL_CONNECTION_RESET');
}

/** The error's message, with the cause that the peer does not see. Not yet escaped. */
export function errorText(error: YodelError): string {
  const { message, cause } = error;
  return (isFromUpstream(error) || isOwnCode(error.code)) && cause instanceof Error
    ? `${message}: ${cause.message}`
    : message;
}
