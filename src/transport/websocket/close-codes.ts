/** Close codes (RFC 6455, section 7.4, and IANA's WebSocket Close Code Number Registry). */
import { type ErrorCode, isOwnCode, type YodelError } from '../../errors.ts';

/** A normal end. */
export const normalCode = 1000;

/** Codes that report no problem: normal, going away, and no code at all. */
const orderlyCodes: ReadonlySet<number> = new Set([normalCode, 1001, 1005]);

const goingAway = 1001;
const protocolError = 1002;
const invalidText = 1007;
const policy = 1008;
const tooBig = 1009;
const internalError = 1011;
const tryAgainLater = 1013;

const names: Readonly<Record<number, string>> = {
  1002: 'protocol error',
  1003: 'unsupported data',
  1007: 'invalid data',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'extension required',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1014: 'bad gateway',
};

/** The close code of every error that ends a connection. All others are internal errors. */
const codes: Partial<Readonly<Record<ErrorCode, number>>> = {
  YODEL_SHUTTING_DOWN: goingAway,
  YODEL_SHUTDOWN_TIMEOUT: goingAway,
  YODEL_INVALID_FRAME: protocolError,
  YODEL_UNFINISHED_FRAME: protocolError,
  YODEL_INVALID_UTF8: invalidText,
  YODEL_MESSAGE_TOO_LONG: tooBig,
  YODEL_RATE_EXCEEDED: policy,
  YODEL_TOO_MANY_MESSAGES: policy,
  YODEL_ADDRESS_DENIED: policy,
  YODEL_CONNECTION_RATE: policy,
  YODEL_IDLE_TIMEOUT: policy,
  YODEL_MESSAGE_TIMEOUT: policy,
  YODEL_DRAIN_TIMEOUT: policy,
  // The server is too busy, which is not the client's fault.
  YODEL_TOO_MANY_CONNECTIONS: tryAgainLater,
  YODEL_TOO_MANY_PENDING_BYTES: tryAgainLater,
};

/** The close code that says why a connection ends. A program's own error is its decision about the peer. */
export function closeCodeFor({ code }: YodelError): number {
  return isOwnCode(code) ? policy : (codes[code] ?? internalError);
}

/** Whether a peer that closes with this code reports no problem. */
export function isOrderly(code: number): boolean {
  return orderlyCodes.has(code);
}

/** `code 1009 (message too big): reason`. */
export function describeClose(code: number, reason: string): string {
  const name = names[code];
  return `code ${code}${name === undefined ? '' : ` (${name})`}${reason === '' ? '' : `: ${reason}`}`;
}
