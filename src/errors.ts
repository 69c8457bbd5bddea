/**
 * The one error class of yodel and the registry of its codes.
 *
 * Codes are stable: programs may compare them, and the reference page is made from this table. Texts may change.
 */

/** Every code a {@link YodelError} can carry, with what it means. */
export const errorCodes = {
  YODEL_MESSAGE_TOO_LONG: 'A message is longer than maxMessageLength.',
  YODEL_INVALID_UTF8: 'A text message holds bytes that are not UTF-8.',
  YODEL_INVALID_FRAME: 'A length field holds a value that no frame can have.',
  YODEL_UNFINISHED_FRAME: 'The peer ended in the middle of a length-prefixed frame.',
  YODEL_UNENCODABLE_MESSAGE:
    'A message cannot be sent in this framing: it contains the delimiter, or its length does not fit the length field.',
  YODEL_INVALID_OPTION: 'An option is unknown, or its value is not allowed.',
  YODEL_INVALID_ADDRESS: 'An address cannot be read.',
  YODEL_INVALID_HANDLER: 'A handler is neither a function nor an object with open, message, batch, end or close.',
  YODEL_ADDRESS_IN_USE: 'Another program already listens at this address.',
  YODEL_ADDRESS_NOT_AVAILABLE: 'This machine does not have the address.',
  YODEL_PERMISSION_DENIED: 'The operating system does not allow this address to this user.',
  YODEL_HOST_NOT_FOUND: 'The host name has no address.',
  YODEL_CONNECTION_REFUSED: 'Nothing listens at the address.',
  YODEL_CONNECTION_RESET: 'The peer broke the connection off.',
  YODEL_CONNECTION_CLOSED: 'The connection ended before the reply came, or is closed already.',
  YODEL_NOT_CONNECTED: 'The client is reconnecting; nothing can be sent at the moment.',
  YODEL_NETWORK: 'Any other failure of the network; `cause` has the details of the operating system.',
  YODEL_TLS: 'The other side does not speak TLS, or its certificate is missing or not trusted.',
  YODEL_WEBSOCKET_REFUSED: 'The server does not speak WebSocket at that address.',
  YODEL_CONNECT_TIMEOUT: 'No connection within connectTimeout.',
  YODEL_REQUEST_TIMEOUT: 'No reply within requestTimeout.',
  YODEL_IDLE_TIMEOUT: 'The peer sent nothing for idleTimeout.',
  YODEL_MESSAGE_TIMEOUT: 'The peer did not finish a message within messageTimeout of its first byte.',
  YODEL_DRAIN_TIMEOUT: 'The peer took none of its replies for drainTimeout.',
  YODEL_TOO_MANY_PENDING_BYTES: 'All sessions together held more than maxPendingBytes, and this one the most of them.',
  YODEL_SHUTDOWN_TIMEOUT: 'The session was not done within shutdownTimeout of the shutdown.',
  YODEL_RATE_EXCEEDED: 'The peer sent more messages than `rate` allows, and ratePolicy is "close".',
  YODEL_TOO_MANY_CONNECTIONS: 'The server already serves maxConnections connections.',
  YODEL_ADDRESS_DENIED: 'The rules of `allow` and `deny` keep the peer out.',
  YODEL_CONNECTION_RATE: 'The address has connected more often than connectionRate allows.',
  YODEL_INVALID_PROXY_HEADER: 'A trusted load balancer sent no PROXY header, or a broken one.',
  YODEL_HANDSHAKE_TIMEOUT:
    'What stands before the first message (TLS, WebSocket, PROXY) took longer than handshakeTimeout.',
  YODEL_TOO_MANY_MESSAGES: 'The connection has been served maxMessages messages.',
  YODEL_SHUTTING_DOWN: 'The server is shutting down and takes no new connections.',
  YODEL_WRONG_REPLY: 'In a load test, a reply was not what was sent.',
  YODEL_UNEXPECTED_REPLY: 'In a load test, the server sent more than was asked for.',
  YODEL_REPLY_TIMEOUT: 'In a load test, a reply did not come within the time-out.',
  YODEL_TOO_MANY_UNANSWERED:
    'In a load test at a fixed rate, so many messages were unanswered that those due then were not sent.',
  YODEL_PROCESS_LOST: 'In a load test of several processes, one of them ended in the middle.',
  YODEL_INVALID_TRANSCRIPT: 'A line of a transcript cannot be read, or cannot be played.',
  YODEL_UNEXPECTED_MESSAGE: 'A message is not what the transcript expects.',
  YODEL_UPSTREAM_FAILED:
    'The server behind the handler `proxy` cannot be reached, broke off, or sent what cannot be passed on; `cause` says why.',
  YODEL_COMMAND_FAILED:
    'The command of the handler `exec` cannot be started, took too long, printed too much, or was ended by a signal.',
  YODEL_NOT_RECORDED:
    'The message was not recorded, and so not handled: the disk of the journal is full, or another program has locked it.',
  YODEL_JOURNAL_FAILED: 'The journal cannot write any more, and nothing is answered after that; `cause` says why.',
  YODEL_JOURNAL_IN_USE: 'Another server writes to this journal.',
  YODEL_JOURNAL_UNREADABLE: 'A file is no journal, is damaged, or was made by a newer yodel.',
  YODEL_FAULT: 'The connection was reset because it was asked for (`--reset`).',
  YODEL_HANDLER_FAILED: 'The handler threw; `cause` is what it threw.',
} as const;

/** A stable code, such as `YODEL_ADDRESS_IN_USE`. */
export type ErrorCode = keyof typeof errorCodes;

/**
 * What yodel throws, rejects with and reports.
 *
 * `code` is stable, `message` says what happened, where and what to do, `cause` is the error below it, if there is one.
 */
export class YodelError extends Error {
  /** What went wrong, for programs. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'YodelError';
    this.code = code;
  }
}

/** How the operating system's error codes read in yodel. Those that are missing here become `YODEL_NETWORK`. */
const systemErrors: Record<string, { code: ErrorCode; says: string }> = {
  EADDRINUSE: {
    code: 'YODEL_ADDRESS_IN_USE',
    says: 'the address is in use: stop the other program, or choose another port (port 0 takes a free one)',
  },
  EADDRNOTAVAIL: { code: 'YODEL_ADDRESS_NOT_AVAILABLE', says: 'this machine does not have that address' },
  EACCES: { code: 'YODEL_PERMISSION_DENIED', says: 'permission denied (ports below 1024 need privileges)' },
  EPERM: { code: 'YODEL_PERMISSION_DENIED', says: 'permission denied' },
  ENOTFOUND: { code: 'YODEL_HOST_NOT_FOUND', says: 'there is no host of that name' },
  EAI_AGAIN: { code: 'YODEL_HOST_NOT_FOUND', says: 'the host name could not be looked up' },
  ECONNREFUSED: { code: 'YODEL_CONNECTION_REFUSED', says: 'connection refused: nothing listens there' },
  ENOENT: { code: 'YODEL_CONNECTION_REFUSED', says: 'there is no such socket file or folder' },
  ENOTSOCK: { code: 'YODEL_CONNECTION_REFUSED', says: 'that file is not a socket' },
  ECONNRESET: { code: 'YODEL_CONNECTION_RESET', says: 'the peer reset the connection' },
  EPIPE: { code: 'YODEL_CONNECTION_RESET', says: 'the peer no longer takes data' },
  ECONNABORTED: { code: 'YODEL_CONNECTION_RESET', says: 'the connection was aborted' },
  ETIMEDOUT: { code: 'YODEL_NETWORK', says: 'the peer does not answer (timed out by the operating system)' },
  EHOSTUNREACH: { code: 'YODEL_NETWORK', says: 'the host cannot be reached' },
  ENETUNREACH: { code: 'YODEL_NETWORK', says: 'the network cannot be reached' },
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: { code: 'YODEL_TLS', says: 'the server wants a client certificate' },
  EMFILE: { code: 'YODEL_NETWORK', says: 'this process has no file descriptors left (see ulimit -n)' },
};

/**
 * Turns an error of the operating system into a {@link YodelError}.
 *
 * @param where what was being done, such as `cannot listen on tcp://127.0.0.1:7878`
 */
export function systemError(where: string, cause: unknown): YodelError {
  if (cause instanceof YodelError) return cause;
  // A host name with several addresses fails with an AggregateError that carries the parts and, on Node, a code.
  const first = cause instanceof AggregateError ? ((cause.errors[0] as unknown) ?? cause) : cause;
  const code = errnoOf(cause) ?? errnoOf(first);
  const known = code === undefined ? undefined : systemErrors[code];
  if (known) return new YodelError(known.code, `${where}: ${known.says}`, { cause });
  const says = first instanceof Error ? first.message : String(first);
  return new YodelError('YODEL_NETWORK', `${where}: ${says}`, { cause });
}

function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
