/** The log of `yodel serve` for people. Colours show the severity. */
import { type Address, formatPeer } from '../address.ts';
import { isOwnCode, type YodelError } from '../errors.ts';
import { formatCountOf, formatPlural, formatSeconds } from '../format/figures.ts';
import { formatTimeOfDay } from '../format/time.ts';
import type { EndedBy, SessionView } from '../telemetry/telemetry.ts';
import { escapeBeginning, escapeError, escapeText } from '../terminal/escape.ts';
import { beforePayload } from '../terminal/message-parts.ts';
import { errorText, isHealthCheck, isUsualRefusal } from './error-text.ts';
import type { LineFormat, Source } from './format.ts';
import type { LeftOut, LineKind } from './gate.ts';
import type { Drop } from './line-writer.ts';
import type { LogOptions } from './options.ts';

const endText: Readonly<Record<EndedBy, string>> = {
  peer: 'the peer ended it',
  handler: 'the handler ended it',
  shutdown: 'the server shut down',
  limit: 'it reached the message limit',
};

/** The log as text. What a handler throws is not in it: it goes to stderr, with its stack. */
export function textFormat({ paint, worker }: Pick<LogOptions, 'paint' | 'worker'>): LineFormat {
  const beginning = (peer: string) => `${paint('dim', timeOfDay())} ${paint('cyan', peer)}`;
  const prefix = worker === undefined ? '' : `${worker}.`;
  const peerOf = (session: Pick<SessionView, 'id' | 'peer'>) => `${shownPeer(session.peer)}#${prefix}${session.id}`;
  const about = (session: SessionView, text: string) => `${beginning(peerOf(session))} ${text}`;
  const warning = (text: string) => paint('yellow', escapeError(text));
  const nameOf = (source: Source | undefined) =>
    typeof source === 'object' ? peerOf(source) : escapeText(source ?? '-');
  return {
    refused: (peer, error) => {
      const text = `refused: ${error.message}`;
      return `${beginning(peer ? shownPeer(peer) : '-')} ${isUsualRefusal(peer, error) ? escapeError(text) : warning(text)}`;
    },
    left: (peer, { message }) => `${beginning(shownPeer(peer))} left: ${escapeError(message)}`,
    opened: (session) => about(session, paint('green', 'connected')),
    discarded: (session, { message }) => about(session, warning(`discarded: ${message}`)),
    undelivered: (session, { message }, messages) =>
      about(session, warning(`${messages > 1 ? `${messages} messages ` : ''}not delivered: ${message}`)),
    roomJoined: (session, room) => about(session, escapeText(`joined room ${JSON.stringify(room)}`)),
    roomLeft: (session, room) => about(session, escapeText(`left room ${JSON.stringify(room)}`)),
    missed: (session, room, messages) =>
      about(
        session,
        warning(
          `missed ${formatPlural(messages, 'message')} ${room === '' ? 'to all' : `of room ${JSON.stringify(room)}`}`,
        ),
      ),
    bus: (event, reason) => {
      const text = `bus ${event}: ${reason}`;
      return `${beginning('-')} ${event === 'connected' ? escapeText(text) : warning(text)}`;
    },
    faulted: (session, { name, kind, direction, message }) => {
      const which = message === undefined ? '' : `, message ${message}`;
      return about(session, `${arrows[direction]} ${warning(`fault ${name}: ${kind}${which}`)}`);
    },
    closed: (session, error) => {
      const text = closedText(session, error);
      return about(session, error && !isHealthCheck(session, error) ? warning(text) : escapeError(text));
    },
    messages: (session, direction) => {
      const before = `${beginning(peerOf(session))} ${direction ? `${arrows[direction]} ` : ''}`;
      return (message) => {
        const parts = paint('dim', `${message.size} B ${beforePayload(message)}`.trimEnd());
        return `${before}${parts} ${escapeBeginning(message.bytes)}`;
      };
    },
    leftOut: (left) => `${beginning(nameOf(left.source))} ${warning(leftOutText(left))}`,
    dropped: droppedText,
  };
}

/** As in transcripts: what the client sends, and what it receives. */
const arrows = { request: '>', reply: '<' } as const;

/** What the lines of each kind are about. */
const nouns: Readonly<Record<LineKind, string>> = {
  message: 'message',
  connected: 'connection',
  closed: 'closed connection',
  refused: 'refused connection',
  left: 'connection without a byte',
  discarded: 'discarded message',
  undelivered: 'undelivered message',
  'room-joined': 'joined room',
  'room-left': 'left room',
  missed: 'member that missed messages',
  bus: 'event of the bus',
  'handler-failed': 'failure of the handler',
  fault: 'fault',
  'upstream-failed': 'failed upstream connection',
  unexpected: 'unexpected message',
  output: 'line',
};

/** Those that do not end with an s. */
const plurals: Readonly<Partial<Record<LineKind, string>>> = {
  missed: 'members that missed messages',
  bus: 'events of the bus',
  'handler-failed': 'failures of the handler',
};

/** `… 65,036 more messages not logged`. */
export function leftOutText({ kind, lines, sources }: LeftOut<unknown>): string {
  const noun = `more ${nouns[kind]}`;
  const plural = plurals[kind] && `more ${plurals[kind]}`;
  const of = sources > 1 ? ` of ${formatCountOf(sources, 'other peer')}` : '';
  return `… ${formatCountOf(lines, noun, plural)}${of} not logged`;
}

/** The line that replaces dropped lines. */
export function droppedText({ lines, error }: Drop): string {
  const why = error
    ? `lost: the output could not be written: ${error.message}`
    : 'dropped: the output is not read fast enough';
  return `${timeOfDay()} … ${formatPlural(lines, 'line')} ${why}`;
}

/** How long a session lasted, what it received and sent, how many rooms it was in, and why it ended. */
function closedText(
  { durationMs, messagesReceived, messagesSent, bytesReceived, bytesSent, unsent, roomsJoined, endedBy }: SessionView,
  error: YodelError | undefined,
): string {
  const received = `${formatPlural(messagesReceived, 'message')} (${bytesReceived} B) in`;
  const sent = `${messagesSent} (${bytesSent} B) out${unsent > 0 ? `, ${unsent} B not sent` : ''}`;
  const rooms = roomsJoined > 0 ? `, ${formatPlural(roomsJoined, 'room')} joined` : '';
  const totals = `closed after ${formatSeconds(durationMs / 1000)}, ${received}, ${sent}${rooms}`;
  if (!error) return `${totals}: ${endText[endedBy]}`;
  return `${totals}: ${isOwnCode(error.code) ? `${error.code}: ` : ''}${errorText(error)}`;
}

/** The path of a Unix socket may contain anything. */
function shownPeer(peer: Address): string {
  return escapeText(formatPeer(peer));
}

let lastSecond = 0;
let lastSecondText = '';

/** The local time as 12:34:56.789. The text of the second is cached, because thousands of lines may share it. */
function timeOfDay(): string {
  const now = Date.now();
  const second = Math.floor(now / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastSecondText = formatTimeOfDay(new Date(now)).slice(0, 8);
  }
  return `${lastSecondText}.${String(now % 1000).padStart(3, '0')}`;
}
