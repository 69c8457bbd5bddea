/**
 * What a peer learns of an error: as `error: …`, or as the reason of a WebSocket's close code. Messages are for the operator and
 * may name files, commands, addresses and what a handler threw. A peer learns what it did itself, and which limit it met.
 */
import { type ErrorCode, isOwnCode, type YodelError } from './errors.ts';

/** The message says nothing but what the peer did, or which limit applies. */
const asItIs = Symbol('as it is');
const unspecific = 'the server failed';
/** A program decides itself what peers learn of its errors. */
const ofOwnError = 'the server ended the connection';

/** Every code, so that a new one needs a decision. */
const texts: Readonly<Record<ErrorCode, string | typeof asItIs>> = {
  YODEL_MESSAGE_TOO_LONG: asItIs,
  YODEL_INVALID_UTF8: asItIs,
  YODEL_INVALID_FRAME: asItIs,
  YODEL_UNFINISHED_FRAME: asItIs,
  YODEL_UNENCODABLE_MESSAGE: asItIs,
  YODEL_UNDECODABLE_MESSAGE: asItIs,
  YODEL_INVALID_OPTION: unspecific,
  YODEL_INVALID_ADDRESS: unspecific,
  YODEL_INVALID_HANDLER: unspecific,
  YODEL_ADDRESS_IN_USE: unspecific,
  YODEL_ADDRESS_NOT_AVAILABLE: unspecific,
  YODEL_PERMISSION_DENIED: unspecific,
  YODEL_HOST_NOT_FOUND: unspecific,
  YODEL_CONNECTION_REFUSED: unspecific,
  YODEL_CONNECTION_RESET: unspecific,
  YODEL_CONNECTION_CLOSED: unspecific,
  YODEL_NOT_CONNECTED: unspecific,
  YODEL_NETWORK: unspecific,
  YODEL_TLS: unspecific,
  YODEL_WEBSOCKET_REFUSED: unspecific,
  YODEL_WEBSOCKET_CLOSED: unspecific,
  YODEL_PING_TIMEOUT: asItIs,
  YODEL_CONNECT_TIMEOUT: unspecific,
  YODEL_SETUP_FAILED: unspecific,
  YODEL_REQUEST_TIMEOUT: unspecific,
  YODEL_INVALID_REQUEST_ID: unspecific,
  YODEL_REPLY_MISMATCH: unspecific,
  YODEL_TOO_MANY_REQUESTS: unspecific,
  YODEL_CORRELATION_FAILED: unspecific,
  YODEL_IDLE_TIMEOUT: asItIs,
  YODEL_MESSAGE_TIMEOUT: asItIs,
  YODEL_DRAIN_TIMEOUT: asItIs,
  YODEL_TOO_MANY_PENDING_BYTES: asItIs,
  YODEL_SHUTDOWN_TIMEOUT: asItIs,
  YODEL_RATE_EXCEEDED: asItIs,
  YODEL_TOO_MANY_CONNECTIONS: asItIs,
  YODEL_ADDRESS_DENIED: asItIs,
  YODEL_CONNECTION_RATE: asItIs,
  YODEL_INVALID_PROXY_HEADER: asItIs,
  YODEL_HANDSHAKE_TIMEOUT: asItIs,
  YODEL_TOO_MANY_MESSAGES: asItIs,
  YODEL_SHUTTING_DOWN: asItIs,
  YODEL_WRONG_REPLY: unspecific,
  YODEL_UNEXPECTED_REPLY: unspecific,
  YODEL_ERROR_REPLY: unspecific,
  YODEL_REPLY_TIMEOUT: unspecific,
  YODEL_TOO_MANY_UNANSWERED: unspecific,
  YODEL_PROCESS_LOST: unspecific,
  YODEL_INVALID_TRANSCRIPT: unspecific,
  YODEL_UNEXPECTED_MESSAGE: 'the message is not the expected one',
  YODEL_UPSTREAM_FAILED: asItIs,
  YODEL_COMMAND_FAILED: 'the command failed',
  YODEL_NOT_RECORDED: 'the message was not recorded, and not handled; try again later',
  YODEL_JOURNAL_FAILED: 'the server cannot record messages',
  YODEL_JOURNAL_IN_USE: unspecific,
  YODEL_JOURNAL_UNREADABLE: unspecific,
  YODEL_FAULT: 'reset on purpose',
  YODEL_INVALID_ROOM: asItIs,
  YODEL_TOO_MANY_ROOMS: asItIs,
  YODEL_JOIN_RATE: asItIs,
  YODEL_ROOM_TAKEN: asItIs,
  YODEL_BUS_UNAVAILABLE: unspecific,
  YODEL_INVALID_POSITION: asItIs,
  YODEL_STORE_FULL: unspecific,
  YODEL_FELL_BEHIND: asItIs,
  YODEL_HANDLER_TIMEOUT: asItIs,
  YODEL_HANDLER_FAILED: asItIs,
};

/** The text for the peer whose session the error ends, or whose message it concerns. */
export function textForPeer(error: YodelError): string {
  const { code, message, reply } = error;
  if (reply !== undefined) return reply;
  if (isOwnCode(code)) return ofOwnError;
  const text = texts[code];
  return text === asItIs ? message : text;
}
