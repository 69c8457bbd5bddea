/**
 * The error class of yodel and the table of its codes.
 *
 * Codes never change: programs compare them. The reference is generated from this table. Messages may change.
 */
import { nearestWord } from './suggestion.ts';

/** Every code of a {@link YodelError}, and its meaning. */
export const errorCodes = {
  YODEL_MESSAGE_TOO_LONG: 'A message is longer than maxMessageLength.',
  YODEL_INVALID_UTF8: 'A text message is not valid UTF-8.',
  YODEL_INVALID_FRAME: 'Bytes are not a frame of the framing: the error names the first wrong byte.',
  YODEL_UNFINISHED_FRAME: 'The peer ended its output in the middle of a frame.',
  YODEL_UNENCODABLE_MESSAGE:
    'A framing cannot express a message: it contains the delimiter, is too long for the length field, or lacks a header. Or a codec cannot express a value.',
  YODEL_UNDECODABLE_MESSAGE: 'A codec refuses a message: it is not JSON, for example, or not valid by the schema.',
  YODEL_INVALID_OPTION: 'An option is unknown, or its value is not allowed.',
  YODEL_INVALID_ADDRESS: 'An address is not valid.',
  YODEL_INVALID_HANDLER: 'A handler is neither a function nor an object with open, message, batch, end or close.',
  YODEL_ADDRESS_IN_USE: 'Another program already listens at this address.',
  YODEL_ADDRESS_NOT_AVAILABLE: 'This machine does not have the address.',
  YODEL_PERMISSION_DENIED: 'The operating system does not allow this address to this user.',
  YODEL_HOST_NOT_FOUND: 'The host name has no address.',
  YODEL_CONNECTION_REFUSED: 'Nothing listens at the address.',
  YODEL_CONNECTION_RESET: 'The peer reset the connection.',
  YODEL_CONNECTION_CLOSED: 'The connection ended before the reply arrived, or was already closed.',
  YODEL_NOT_CONNECTED: 'The client is reconnecting and cannot send.',
  YODEL_NETWORK: "Any other network failure; `cause` is the operating system's error.",
  YODEL_TLS:
    'The peer does not speak TLS or violates it, or a certificate is missing, not trusted or not accepted by the peer.',
  YODEL_WEBSOCKET_REFUSED: 'The server does not speak WebSocket at that address.',
  YODEL_WEBSOCKET_CLOSED: 'The peer closed a WebSocket with a code that reports a problem.',
  YODEL_PING_TIMEOUT: 'The peer of a WebSocket answered no ping within pingInterval.',
  YODEL_CONNECT_TIMEOUT: 'No connection within connectTimeout.',
  YODEL_SETUP_FAILED: 'The function `onConnect` of a client threw; `cause` is what it threw.',
  YODEL_INVALID_REQUEST_ID:
    'The request was not sent: it has no id, or one that is in use, or that of a request whose late reply may still arrive.',
  YODEL_REPLY_MISMATCH:
    'The peer sent a message that answers no request, so that the order of messages no longer says which reply belongs to which request: set `correlate`.',
  YODEL_TOO_MANY_REQUESTS: 'The request was not sent: maxRequestsInFlight requests have no reply.',
  YODEL_CORRELATION_FAILED: 'The function `replyId` of the option `correlate` threw; `cause` is what it threw.',
  YODEL_REQUEST_TIMEOUT: 'No reply within requestTimeout.',
  YODEL_IDLE_TIMEOUT: 'Nothing was received from the peer, or sent to it, for idleTimeout.',
  YODEL_MESSAGE_TIMEOUT: 'The peer did not finish a message within messageTimeout of its first byte.',
  YODEL_DRAIN_TIMEOUT: 'The peer read none of its pending replies for drainTimeout.',
  YODEL_TOO_MANY_PENDING_BYTES:
    'All sessions together exceeded maxPendingBytes, and this one had the most pending bytes.',
  YODEL_SHUTDOWN_TIMEOUT: 'The session did not finish within shutdownTimeout of the shutdown.',
  YODEL_RATE_EXCEEDED: 'The peer sent more messages than `rate` allows, and ratePolicy is "close".',
  YODEL_TOO_MANY_CONNECTIONS: 'The server already serves maxConnections connections.',
  YODEL_ADDRESS_DENIED: 'The peer is excluded by `allow` or `deny`.',
  YODEL_CONNECTION_RATE: 'The address has connected more often than connectionRate allows.',
  YODEL_INVALID_PROXY_HEADER: 'A trusted load balancer sent no PROXY header, or an invalid one.',
  YODEL_HANDSHAKE_TIMEOUT:
    'The handshakes before the first message (TLS, WebSocket, PROXY) took longer than handshakeTimeout.',
  YODEL_TOO_MANY_MESSAGES: 'The connection has sent maxMessages messages.',
  YODEL_SHUTTING_DOWN: 'The server is shutting down and takes no new connections.',
  YODEL_WRONG_REPLY: 'In a load test, a reply differed from its message.',
  YODEL_UNEXPECTED_REPLY: 'In a load test, the server sent more than the expected replies.',
  YODEL_ERROR_REPLY: 'In a load test, a reply reported an error, or the server greeted with one.',
  YODEL_REPLY_TIMEOUT: 'In a load test, a reply did not arrive within the time-out.',
  YODEL_TOO_MANY_UNANSWERED:
    'In a load test at a fixed rate, too many messages were unanswered, so the next ones were not sent.',
  YODEL_PROCESS_LOST: 'In a load test with several processes, one of them died.',
  YODEL_INVALID_TRANSCRIPT: 'A line of a transcript is not valid, or cannot be replayed.',
  YODEL_UNEXPECTED_MESSAGE: 'A message differs from the transcript.',
  YODEL_UPSTREAM_FAILED:
    'The upstream of the handler `proxy` cannot be reached, disconnected, or sent something invalid; see `cause`.',
  YODEL_COMMAND_FAILED:
    'The command of the handler `exec` cannot be started, took too long, printed too much, or was killed by a signal; or the program of an `exec:` address cannot be started, failed, or did not read its input.',
  YODEL_NOT_RECORDED:
    "The message was not recorded and not handled: the journal's disk is full, or another program has locked the file.",
  YODEL_JOURNAL_FAILED: 'The journal can no longer be written, so the server sends no more replies; see `cause`.',
  YODEL_JOURNAL_IN_USE: 'Another server writes to this journal.',
  YODEL_JOURNAL_UNREADABLE: 'A file is not a journal, is damaged, or was written by a newer version.',
  YODEL_FAULT: 'The connection was reset on purpose (`--reset`).',
  YODEL_INVALID_ROOM: 'The name of a room, or of a member, is not 1 to 128 bytes of text without control characters.',
  YODEL_TOO_MANY_ROOMS: 'The session is in maxRoomsPerSession rooms already, or the server has maxRooms.',
  YODEL_JOIN_RATE: 'The session has joined rooms more often than joinRate allows.',
  YODEL_ROOM_TAKEN: 'A session wanted to join a room alone, and the room has another member.',
  YODEL_BUS_UNAVAILABLE:
    'The bus between servers cannot be reached, and is required: to start the server, or to store a message or read a history.',
  YODEL_INVALID_POSITION: 'A text is not a position in the history of a room.',
  YODEL_STORE_FULL: 'More than busBuffer waits to be stored in rooms.',
  YODEL_FELL_BEHIND: 'A member of a room read too slowly and has missed messages. See the option roomBehind.',
  YODEL_HANDLER_TIMEOUT:
    'The handler neither finished a call nor sent anything for handlerTimeout; or its `start` took longer than startTimeout, or its `stop` longer than the shutdown may.',
  YODEL_HANDLER_FAILED: 'The handler threw; `cause` is what it threw.',
} as const;

/** A code of yodel's errors, such as `YODEL_ADDRESS_IN_USE`. */
export type ErrorCode = keyof typeof errorCodes;

/** The code of a program's own error, such as `APP_DENIED`: any text of 1 to 100 characters that does not begin with `YODEL_`. */
export type OwnErrorCode = string & Record<never, never>;

/** What an error has besides its code and message. */
export interface YodelErrorOptions {
  /** The underlying error, for the log. Default: none. */
  readonly cause?: unknown;
  /**
   * What the peer receives as the error reply, and over WebSocket as the reason of the close. It must name nothing of this
   * machine. Default: a text that says nothing specific; for yodel's own codes it depends on the code.
   */
  readonly reply?: string | undefined;
}

/**
 * The error that yodel throws, rejects with and reports. Handlers throw it too, with a code of their own:
 *
 * ```ts
 * throw new YodelError('APP_DENIED', 'ada may not write to #ops', { reply: 'you may not write here' });
 * ```
 *
 * `code` never changes, `message` says what happened, where, and what to do, `cause` is the underlying error, if any. The peer
 * receives none of them.
 */
export class YodelError extends Error {
  /** The kind of error, for programs. */
  readonly code: ErrorCode | OwnErrorCode;
  /** What the peer receives, if it was given. See {@link YodelErrorOptions.reply}. */
  declare readonly reply?: string;

  /**
   * @param code one of yodel's, or one of the program's own
   * @param message for the log
   * @throws YodelError `YODEL_INVALID_OPTION` for a code that begins with `YODEL_` and is none of yodel's, and for one that is no
   *   text of 1 to 100 characters, or contains control characters; for a `reply` that is no text
   */
  constructor(code: ErrorCode | OwnErrorCode, message: string, options: YodelErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'YodelError';
    this.code = isOwnCode(code) ? checkedOwnCode(code) : code;
    const { reply } = options;
    if (reply === undefined) return;
    if (typeof reply !== 'string') throw new YodelError('YODEL_INVALID_OPTION', 'the "reply" of an error is text');
    this.reply = reply;
  }
}

/** Whether a program has thrown an error of its own, with a code that is none of yodel's. */
export function isOwnError(thrown: unknown): thrown is YodelError {
  return isYodelError(thrown) && isOwnCode(thrown.code);
}

/** Whether it is the code of a program's own error. */
export function isOwnCode(code: string): code is OwnErrorCode {
  return !Object.hasOwn(errorCodes, code);
}

/** Whether it is a YodelError, also one of another copy of this class, such as one in another bundle. */
export function isYodelError(error: unknown): error is YodelError {
  return error instanceof YodelError || (error instanceof Error && error.name === 'YodelError' && hasOwnTexts(error));
}

/** Whether it has what errors of this class have: in JavaScript, any error can have the name. */
function hasOwnTexts(error: Error): boolean {
  const { code, reply } = error as Partial<Record<'code' | 'reply', unknown>>;
  return typeof code === 'string' && (reply === undefined || typeof reply === 'string');
}

/** The text of what a program threw, which may be anything. */
export function textOfThrown(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.message}` : String(thrown);
  } catch {
    // An object that cannot be converted to text, or a getter that throws.
    return 'something without a text was thrown';
  }
}

function checkedOwnCode(code: OwnErrorCode): OwnErrorCode {
  const invalid = (text: string) => new YodelError('YODEL_INVALID_OPTION', text);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they have no place in logs and metrics
  if (typeof code !== 'string' || !/^[^\0-\x1f\x7f-\x9f]{1,100}$/u.test(code))
    throw invalid('the code of an error is a text of 1 to 100 characters, without control characters');
  if (!code.startsWith('YODEL_')) return code;
  const nearest = nearestWord(code, Object.keys(errorCodes));
  const hint = nearest === undefined ? '' : `Did you mean "${nearest}"? `;
  throw invalid(`yodel has no error code "${code}". ${hint}The codes of your own errors must not begin with "YODEL_"`);
}

/** The operating system's error codes. Others become `YODEL_NETWORK`. */
const systemErrors: Record<string, { code: ErrorCode; text: string }> = {
  EADDRINUSE: {
    code: 'YODEL_ADDRESS_IN_USE',
    text: 'the address is in use: stop the other program, or choose another port (port 0 picks a free one)',
  },
  EADDRNOTAVAIL: { code: 'YODEL_ADDRESS_NOT_AVAILABLE', text: 'this machine does not have that address' },
  EACCES: { code: 'YODEL_PERMISSION_DENIED', text: 'permission denied (ports below 1024 need privileges)' },
  EPERM: { code: 'YODEL_PERMISSION_DENIED', text: 'permission denied' },
  ENOTFOUND: { code: 'YODEL_HOST_NOT_FOUND', text: 'there is no host with that name' },
  EAI_AGAIN: { code: 'YODEL_HOST_NOT_FOUND', text: 'the host name could not be looked up' },
  ECONNREFUSED: { code: 'YODEL_CONNECTION_REFUSED', text: 'connection refused: nothing listens there' },
  ENOENT: { code: 'YODEL_CONNECTION_REFUSED', text: 'there is no such socket file or directory' },
  ENOTSOCK: { code: 'YODEL_CONNECTION_REFUSED', text: 'that file is not a socket' },
  ECONNRESET: { code: 'YODEL_CONNECTION_RESET', text: 'the peer reset the connection' },
  EPIPE: { code: 'YODEL_CONNECTION_RESET', text: 'the peer no longer accepts data' },
  ECONNABORTED: { code: 'YODEL_CONNECTION_RESET', text: 'the connection was aborted' },
  ETIMEDOUT: { code: 'YODEL_NETWORK', text: 'the peer does not answer (timed out by the operating system)' },
  EHOSTUNREACH: { code: 'YODEL_NETWORK', text: 'the host cannot be reached' },
  ENETUNREACH: { code: 'YODEL_NETWORK', text: 'the network cannot be reached' },
  EMFILE: { code: 'YODEL_NETWORK', text: 'this process has no file descriptors left (see ulimit -n)' },
};

/**
 * Converts an error of the operating system to a {@link YodelError}.
 *
 * @param where what was being done, such as `cannot listen on tcp://127.0.0.1:7878`
 */
export function systemError(where: string, cause: unknown): YodelError {
  if (cause instanceof YodelError) return cause;
  // A host name with several addresses fails with an AggregateError that carries the parts and, on Node, a code.
  const first = cause instanceof AggregateError ? ((cause.errors[0] as unknown) ?? cause) : cause;
  const code = errnoOf(cause) ?? errnoOf(first);
  const known = code === undefined ? undefined : systemErrors[code];
  if (known) return new YodelError(known.code, `${where}: ${known.text}`, { cause });
  return new YodelError('YODEL_NETWORK', `${where}: ${textOfThrown(first)}`, { cause });
}

const fileErrors: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'no such directory',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
};

/** The reason in an error from opening, reading or writing a file. */
export function fileErrorReason(error: unknown): string {
  const reason = fileErrors[errnoOf(error) ?? ''];
  return reason ?? (error instanceof Error ? error.message : String(error));
}

function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
