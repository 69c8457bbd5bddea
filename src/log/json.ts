/** The log of `yodel serve` for programs: one JSON object per line, with `level`, `time` and `event` first, as pino writes it. */
import { formatPeer } from '../address.ts';
import { isOwnCode, type YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { SessionView } from '../telemetry/telemetry.ts';
import { cutText, escapeJson, jsonBeginning, thrownText } from '../terminal/escape.ts';
import { jsonParts } from '../terminal/message-parts.ts';
import { errorText, isHealthCheck, isUsualRefusal } from './error-text.ts';
import type { Direction, LineFormat, Source } from './format.ts';
import type { LogLevel, LogOptions } from './options.ts';

/**
 * How many bytes of a message a line has: the default of `maxMessageLength`, so that by default it has all of them. The rest
 * is cut before it is escaped. `truncated` then says so, and `bytes` how many there were.
 */
const maxContent = 65_536;
/** How many bytes of a header. */
const maxHeader = 4096;
/** How much of an error, in UTF-16 units. */
const maxError = 2048;

/** The log as JSON. */
export function jsonFormat({ level: least, worker }: Pick<LogOptions, 'level' | 'worker'>): LineFormat {
  const line = (level: LogLevel, event: string, fields: object) => jsonLine(level, event, { worker }, fields);
  // In a log of errors, where only errors can be missing, a line about missing lines is an error.
  const missing: LogLevel = least === 'error' ? 'error' : 'warn';
  return {
    listening: (address) => line('info', 'listening', { address: String(address) }),
    draining: (sessions) => line('info', 'draining', { sessions }),
    refused: (peer, error) => {
      const level = isUsualRefusal(peer, error) ? 'info' : 'warn';
      return line(level, 'refused', { peer: peer && formatPeer(peer), ...errorFields(error) });
    },
    left: (peer, error) => line('info', 'left', { peer: formatPeer(peer), ...errorFields(error) }),
    opened: (session) => line('info', 'connected', nameOf(session)),
    discarded: (session, error) => line('warn', 'discarded', { ...nameOf(session), ...errorFields(error) }),
    undelivered: (session, error, messages) =>
      line('warn', 'undelivered', {
        ...nameOf(session),
        messages: messages > 1 ? messages : undefined,
        ...errorFields(error),
      }),
    roomJoined: (session, room) => line('info', 'room-joined', { ...nameOf(session), room }),
    roomLeft: (session, room) => line('info', 'room-left', { ...nameOf(session), room }),
    missed: (session, room, messages) => line('warn', 'missed', { ...nameOf(session), room, messages }),
    bus: (state, reason) => line(state === 'connected' ? 'info' : 'warn', 'bus', { state, reason }),
    handlerFailed: (session, error) =>
      line('error', 'handler-failed', {
        ...nameOf(session),
        error: thrownText(isOwnCode(error.code) ? error : error.cause),
      }),
    faulted: (session, { name, kind, direction, message }) =>
      line('info', 'fault', { ...nameOf(session), fault: name, kind, direction, message }),
    closed: (session, error) => {
      const fields = { ...nameOf(session), ...totalsOf(session) };
      if (!error) return line('info', 'closed', { ...fields, reason: session.endedBy });
      const level = isHealthCheck(session, error) ? 'info' : 'warn';
      return line(level, 'closed', { ...fields, reason: error.code, ...errorFields(error) });
    },
    messages: (session, direction) => messageLines(session, direction, worker),
    leftOut: ({ kind, lines, source, sources }) => {
      const of = sources > 1 ? { peers: sources } : nameOfSource(source);
      return line(missing, 'left-out', { of: kind, ...of, lines, reason: 'rate' });
    },
    dropped: ({ lines, error }) => {
      const why = error ? { reason: 'write-failed', error: error.message } : { reason: 'slow-output' };
      return line(missing, 'left-out', { lines, ...why });
    },
  };
}

/** A line of the log, without its newline. It has no process ID and no host name, because log collectors add them. */
export function jsonLine(
  level: LogLevel,
  event: string,
  origin: { worker?: number | undefined },
  fields: object,
): string {
  return escapeJson(JSON.stringify({ level, time: isoNow(), ...origin, event, ...fields }));
}

/** Formats the messages of a batch. What they have in common is formatted once. */
function messageLines(session: SessionView, direction: Direction, worker: number | undefined) {
  const common = jsonLine('info', 'message', { worker }, { ...nameOf(session), direction }).slice(0, -1);
  return (message: Message): string => {
    const { bytes } = message;
    const parts = { ...jsonParts(message, maxHeader), bytes: bytes.length, ...jsonBeginning(bytes, maxContent) };
    return `${common},${escapeJson(JSON.stringify(parts)).slice(1)}`;
  };
}

function nameOf({ id, peer }: Pick<SessionView, 'id' | 'peer'>): { session: number; peer: string } {
  return { session: id, peer: formatPeer(peer) };
}

function nameOfSource(source: Source | undefined): object {
  return typeof source === 'object' ? nameOf(source) : { peer: source };
}

function errorFields(error: YodelError): { code: string; error: string } {
  return { code: error.code, error: cutText(errorText(error), maxError) };
}

/** What a session has received and sent, its duration in whole milliseconds, and how many rooms it was in. */
function totalsOf(session: SessionView): object {
  const { durationMs, messagesReceived, messagesSent, bytesReceived, bytesSent, unsent } = session;
  return {
    durationMs: Math.round(durationMs),
    messagesReceived,
    messagesSent,
    bytesReceived,
    bytesSent,
    bytesUnsent: unsent || undefined,
    roomsJoined: session.roomsJoined || undefined,
  };
}

let lastTime = 0;
let lastTimeText = '';

/** The time in UTC. The text is cached, because many lines share a millisecond. */
function isoNow(): string {
  const now = Date.now();
  if (now !== lastTime) {
    lastTime = now;
    lastTimeText = new Date(now).toISOString();
  }
  return lastTimeText;
}
