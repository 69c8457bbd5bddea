/** One line for each connection, message and leave of a server, for people or as JSON. */
import { isUtf8 } from 'node:buffer';
import { formatPeer } from '../address.ts';
import type { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { SessionView, Subscriber } from '../telemetry/telemetry.ts';
import { harmlessBytes, harmlessJson, harmlessText } from './harmless.ts';
import type { Paint } from './style.ts';

/** How much of a message a line shows; the rest is told by its size. JSON has all of it. */
const mostShown = 1024;

/** How the log is written. */
export interface LogOptions {
  readonly json: boolean;
  /** Whether each message has a line. */
  readonly messages: boolean;
  readonly paint: Paint;
  /** Takes a line of the log. */
  readonly write: (line: string) => void;
}

/** A subscriber that writes the log. */
export function sessionLog(options: LogOptions): Subscriber {
  return options.json ? jsonLog(options) : textLog(options);
}

/** The line that stands for lines that a slow reader made us leave out. */
export function leftOutLine(json: boolean, count: number): string {
  if (json) return JSON.stringify({ event: 'left-out', time: new Date().toISOString(), lines: count });
  return `${timeOfDay()} … ${count} ${count === 1 ? 'line' : 'lines'} left out: the output is not read fast enough`;
}

function textLog({ messages, paint, write }: LogOptions): Subscriber {
  const line = (peer: string, text: string) => write(`${paint('dim', timeOfDay())} ${paint('cyan', peer)} ${text}`);
  const peerOf = (session: SessionView) => `${formatPeer(session.peer)}#${session.id}`;
  const log: Subscriber = {
    refused: (peer, error) =>
      line(peer ? formatPeer(peer) : '-', paint('yellow', `refused: ${harmlessText(error.message)}`)),
    opened: (session) => line(peerOf(session), paint('green', 'connected')),
    discarded: (session, error) => line(peerOf(session), paint('yellow', `discarded: ${harmlessText(error.message)}`)),
    closed: (session, error) => {
      const served = `after ${count(session.messagesReceived, 'message')}, ${count(session.messagesSent, 'reply')}`;
      if (error) line(peerOf(session), paint('red', `closed ${served}: ${harmlessText(error.message)}`));
      else line(peerOf(session), `left ${served}`);
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

function jsonLog({ messages, write }: LogOptions): Subscriber {
  const line = (event: string, fields: object) =>
    write(harmlessJson(JSON.stringify({ event, time: new Date().toISOString(), ...fields })));
  const of = ({ id, peer }: SessionView) => ({ session: id, peer: formatPeer(peer) });
  const withError = (error: YodelError | undefined) => error && { code: error.code, error: error.message };
  const log: Subscriber = {
    listening: (address) => line('listening', { address }),
    draining: (sessions) => line('draining', { sessions }),
    refused: (peer, error) => line('refused', { peer: peer && formatPeer(peer), ...withError(error) }),
    opened: (session) => line('connected', of(session)),
    discarded: (session, error) => line('discarded', { ...of(session), ...withError(error) }),
    handlerFailed: (session, error) => line('handler-failed', { ...of(session), error: String(error.cause) }),
    closed: (session, error) => {
      const { messagesReceived, messagesSent, bytesReceived, bytesSent } = session;
      const counts = { messagesReceived, messagesSent, bytesReceived, bytesSent };
      line('closed', { ...of(session), ...counts, ...withError(error) });
    },
  };
  if (messages) {
    log.received = (session, batch) => {
      const fields = of(session);
      for (const message of batch) line('message', { ...fields, bytes: message.size, ...content(message) });
    };
  }
  return log;
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

/** JSON has no bytes: what is not text is base64. */
function content(message: Message): { text: string } | { base64: string } {
  const { bytes } = message;
  return isUtf8(bytes) ? { text: message.text } : { base64: Buffer.from(bytes).toString('base64') };
}

function count(number: number, noun: string): string {
  return `${number} ${number === 1 ? noun : noun === 'reply' ? 'replies' : `${noun}s`}`;
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
