/** The log of `yodel serve` for people. How grave a line is, its colour says. */
import { formatPeer } from '../address.ts';
import { formatPlural, formatSeconds } from '../format/figures.ts';
import type { EndedBy, SessionView, Subscriber } from '../telemetry/telemetry.ts';
import { escapeBeginning, escapeText } from '../terminal/escape.ts';
import { errorText } from './error-text.ts';
import type { LogOptions } from './options.ts';

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
  const warning = (text: string) => paint('yellow', escapeText(text));
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
      for (const message of batch) line(peer, `${paint('dim', `${message.size} B`)} ${escapeBeginning(message.bytes)}`);
    };
  }
  return log;
}

/** Says how many lines are missing. */
export function leftOutText(count: number): string {
  return `${timeOfDay()} … ${formatPlural(count, 'line')} left out: the output is not read fast enough`;
}

/** How long a session took, and what passed in it. */
function servedText({ durationMs, messagesReceived, messagesSent, bytesReceived, bytesSent }: SessionView): string {
  const received = `${formatPlural(messagesReceived, 'message')} (${bytesReceived} B) in`;
  return `closed after ${formatSeconds(durationMs / 1000)}, ${received}, ${messagesSent} (${bytesSent} B) out`;
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
