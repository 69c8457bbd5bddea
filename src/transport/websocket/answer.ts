/** Responses to requests for a WebSocket. */
import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { realClock } from '../../clock.ts';
import type { Connection, Receiver } from '../transport.ts';
import type { HeaderField, HttpHead } from './http-head.ts';

/** How long a refused client may take to close the connection, in milliseconds, so that it receives the reason. */
const lingerMs = 1000;

/** Why a request is refused. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly headers?: readonly HeaderField[] | undefined;
}

/** The value of `Sec-WebSocket-Accept` that answers this key. */
export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** Grants the upgrade. @param protocol the chosen subprotocol, if any */
export function grantOn(
  connection: Connection,
  { headers }: HttpHead,
  protocol: string | undefined,
  more: readonly HeaderField[] = [],
): void {
  const fields: HeaderField[] = [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', acceptFor(headers.get('sec-websocket-key') ?? '')],
  ];
  if (protocol !== undefined) fields.push(['Sec-WebSocket-Protocol', protocol]);
  connection.write(Buffer.from(response(101, [...fields, ...more]), 'latin1'));
}

/** Sends the reason, and waits for the client to close. @param done called then, or when it takes too long */
export function refuseOn(
  connection: Connection,
  { status, reason, headers = [] }: Refusal,
  done: () => void,
): Receiver {
  const text = Buffer.from(`${reason}\n`);
  const head = response(status, [
    ['Connection', 'close'],
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(text.length)],
    ...headers,
  ]);
  connection.write(Buffer.concat([Buffer.from(head, 'latin1'), text]));
  connection.end();
  const timer = realClock.deadline(lingerMs, done);
  const over = () => {
    timer.cancel();
    done();
  };
  return { onData() {}, onDrain() {}, onEnd: over, onClose: over };
}

function response(status: number, fields: readonly HeaderField[]): string {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`;
}
