/** The log of `yodel serve` for people. How grave a line is, its colour says. */
import { formatPeer } from '../address.ts';
import type { Message } from '../framing/message.ts';
import { formatSeconds } from '../load/figures.ts';
import type { EndedBy, SessionView, Subscriber } from '../telemetry/telemetry.ts';
import { errorText } from './error-text.ts';
import { harmlessBytes, harmlessText } from './harmless.ts';
import type { LogOptions } from './session-log.ts';

/** How much of a message a line shows; the rest is told by its size. JSON has all of it. */
const mostShown = 1024;

const endings: Readonly<Record<EndedBy, string>> = {
  peer: 'the peer ended it',
  handler: 'the handler ended it',
  shutdown: 'the server shut down',
  limit: 'it had as many messages as one connection may',
};

/** A subscriber that writes the log as text. What a handler threw is not in it: that goes to stderr, with its stack. */
export function textLog({ messages, paint, worker, write }: LogOptions): Subscriber {
  const line = (peer: string, text: string) => write(`${paint('dim', timeOfDay())} ${paint('cyan', peer)} ${text}`);
  const place = worker === undefined ? '' : `${worker}.`;
  const peerOf = (session: SessionView) => `${formatPeer(session.peer)}#${place}${session.id}`;
  const warning = (text: string) => paint('yellow', harmlessText(text));
  const log: Subscriber = {
    refused: (peer, error) => line(peer ? formatPeer(peer) : '-', warning(`refused: ${error.message}`)),
    opened: (session) => line(peerOf(session), paint('green', 'connected')),
    discarded: (session, error) => line(peerOf(session), warning(`discarded: ${error.message}`)),
    closed: (session, error) => {
      const served = servedText(session);
      if (error) line(peerOf(session), warning(`${served}: ${errorText(error)}`));
      else line(peerOf(session), `${served}: ${endings[session.endedBy]}`);
    },
  };
  if (messages) {
    log.received = (session, batch) => {
      const peer = peerOf(session);
      for (const message of batch) line(peer, `${paint('dim', `${message.size} B`)} ${shown(message)}`);
    };
  }
  return log;
}

/** Says how many lines are missing. */
export function leftOutText(count: number): string {
  return `${timeOfDay()} … ${count} ${count === 1 ? 'line' : 'lines'} left out: the output is not read fast enough`;
}

/** How long a session took, and what passed in it. */
function servedText({ durationMs, messagesReceived, messagesSent, bytesReceived, bytesSent }: SessionView): string {
  const received = `${messagesReceived} ${messagesReceived === 1 ? 'message' : 'messages'} (${bytesReceived} B) in`;
  return `closed after ${formatSeconds(durationMs / 1000)}, ${received}, ${messagesSent} (${bytesSent} B) out`;
}

function shown(message: Message): string {
  if (message.size <= mostShown) return harmlessBytes(message.bytes);
  // Cut between characters, or a cut one would make the whole look like binary data.
  const end = characterStart(message.bytes, mostShown);
  return `${harmlessBytes(message.bytes.subarray(0, end))} … ${message.size - end} B more`;
}

/** The nearest place at or before `at` where a UTF-8 character begins. */
function characterStart(bytes: Uint8Array, at: number): number {
  let start = at;
  while (start > at - 4 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start--;
  return start;
}

let lastSecond = 0;
let lastSecondText = '';

/** The local time as 12:34:56.789. The second's text is kept, for thousands of lines may share it. */
function timeOfDay(): string {
  const now = Date.now();
  const second = Math.floor(now / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastSecondText = new Date(now).toTimeString().slice(0, 8);
  }
  return `${lastSecondText}.${String(now % 1000).padStart(3, '0')}`;
}
