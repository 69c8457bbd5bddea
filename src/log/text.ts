/** The log of `yodel serve` for people. Colours show the severity. */
import { formatPeer } from '../address.ts';
import { formatPlural, formatSeconds } from '../format/figures.ts';
import { formatTimeOfDay } from '../format/time.ts';
import type { Batch } from '../framing/message.ts';
import type { EndedBy, SessionView, Subscriber } from '../telemetry/telemetry.ts';
import { escapeBeginning, escapeText } from '../terminal/escape.ts';
import { beforePayload } from '../terminal/message-parts.ts';
import { errorText } from './error-text.ts';
import type { LogOptions } from './options.ts';

const endText: Readonly<Record<EndedBy, string>> = {
  peer: 'the peer ended it',
  handler: 'the handler ended it',
  shutdown: 'the server shut down',
  limit: 'it reached the message limit',
};

/** A subscriber that writes the log as text. What a handler throws is not logged here: it goes to stderr, with its stack. */
export function textLog({ messages, relays = false, paint, worker, write }: LogOptions): Subscriber {
  const line = (peer: string, text: string) => write(`${paint('dim', timeOfDay())} ${paint('cyan', peer)} ${text}`);
  const prefix = worker === undefined ? '' : `${worker}.`;
  const peerOf = (session: SessionView) => `${formatPeer(session.peer)}#${prefix}${session.id}`;
  const warning = (text: string) => paint('yellow', escapeText(text));
  const log: Subscriber = {
    refused: (peer, error) => line(peer ? formatPeer(peer) : '-', warning(`refused: ${error.message}`)),
    opened: (session) => line(peerOf(session), paint('green', 'connected')),
    discarded: (session, error) => line(peerOf(session), warning(`discarded: ${error.message}`)),
    undelivered: (session, error) => line(peerOf(session), warning(`not delivered: ${error.message}`)),
    faulted: (session, { name, kind, direction, message }) => {
      const which = message === undefined ? '' : `, message ${message}`;
      line(peerOf(session), `${arrows[direction]} ${warning(`fault ${name}: ${kind}${which}`)}`);
    },
    closed: (session, error) => {
      const totals = totalsText(session);
      if (error) line(peerOf(session), warning(`${totals}: ${errorText(error)}`));
      else line(peerOf(session), `${totals}: ${endText[session.endedBy]}`);
    },
  };
  const lines = (session: SessionView, batch: Batch, arrow: string) => {
    const peer = peerOf(session);
    for (const message of batch) {
      const parts = paint('dim', `${message.size} B ${beforePayload(message)}`.trimEnd());
      line(peer, `${arrow}${parts} ${escapeBeginning(message.bytes)}`);
    }
  };
  if (messages) {
    log.received = (session, batch) => lines(session, batch, relays ? `${arrows.request} ` : '');
    log.relayed = (session, batch) => lines(session, batch, `${arrows.reply} `);
  }
  return log;
}

/** As in transcripts: what the client sends, and what it receives. */
const arrows = { request: '>', reply: '<' } as const;

/** The line that replaces dropped lines. */
export function droppedText(count: number): string {
  return `${timeOfDay()} … ${formatPlural(count, 'line')} dropped: the output is not read fast enough`;
}

/** How long a session lasted, and what it received and sent. */
function totalsText({ durationMs, messagesReceived, messagesSent, bytesReceived, bytesSent }: SessionView): string {
  const received = `${formatPlural(messagesReceived, 'message')} (${bytesReceived} B) in`;
  return `closed after ${formatSeconds(durationMs / 1000)}, ${received}, ${messagesSent} (${bytesSent} B) out`;
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
