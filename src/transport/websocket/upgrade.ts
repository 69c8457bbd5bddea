/** The server's side of the WebSocket handshake (RFC 6455, section 4.2), on any connection. */
import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { isIP } from 'node:net';
import type { WebSocketAddress } from '../../address.ts';
import { realClock } from '../../clock.ts';
import { YodelError } from '../../errors.ts';
import { PeerLeft } from '../listen-errors.ts';
import type { Connection, Receiver, ServerWebSocket } from '../transport.ts';
import { WebSocketConnection } from './connection.ts';
import { InvalidHead, readHead } from './head-reader.ts';
import { type HttpHead, lists, token } from './http-head.ts';

/** How long a refused client may take to close the connection, in milliseconds, so that it receives the reason. */
const lingerMs = 1000;
/** Method, host and target. Only a request to a proxy names the host here, but servers must accept it (RFC 9112, section 3.2.2). */
const requestLine = /^(\S+) (?:(?:http|ws)s?:\/\/([^\s/?#]+))?(\/\S*) HTTP\/1\.[1-9]$/;
/** A name or an address, in brackets if it is one of IPv6, and perhaps a port. */
const hostForm = /^(?:\[[\da-f:.]+\]|[\w!$&'()*+,;=.~%-]*)(?::\d*)?$/i;
const keyForm = /^[A-Za-z\d+/]{22}==$/;
/** Headers that must not occur twice: each program might read another one. */
const single = ['host', 'origin', 'sec-websocket-key', 'sec-websocket-version'];

/** Why a request is refused. */
interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly headers?: readonly string[];
}

/** The value of `Sec-WebSocket-Accept` that answers this key. */
export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/**
 * Resolves when the client has requested the upgrade and it was granted.
 *
 * @param address where the server listens
 * @param waits called with how many bytes of an unfinished request are kept
 * @throws YodelError `YODEL_WEBSOCKET_REFUSED`; the client has received the reason then, where it sent a request
 */
export async function upgrade(
  connection: Connection,
  address: WebSocketAddress,
  options: ServerWebSocket,
  waits?: (bytes: number) => void,
): Promise<Connection> {
  return await new Promise((resolve, reject) => {
    const refuse = (refusal: Refusal): Receiver => {
      const error = refusalError(refusal.reason);
      return refuseOn(connection, refusal, () => reject(error));
    };
    readHead(connection, {
      mayBegin: (start) => /^[A-Z]+(?: |$)/.test(start),
      waits: (bytes) => waits?.(bytes),
      head(head, rest) {
        const refusal = refusalOf(head, address, options);
        if (refusal) return refuse(refusal);
        connection.write(Buffer.from(grant(head)));
        const { pingInterval } = options;
        const upgraded = new WebSocketConnection(connection, rest, {
          isClient: false,
          peer: connection.peer,
          pingInterval,
        });
        resolve(upgraded);
        return upgraded;
      },
      failed(error, received) {
        if (error instanceof InvalidHead) return refuse({ status: error.status, reason: error.message });
        const left = refusalError('it disconnected');
        reject(received === 0 ? new PeerLeft(left) : left);
        return undefined;
      },
    });
  });
}

function refusalOf(head: HttpHead, address: WebSocketAddress, options: ServerWebSocket): Refusal | undefined {
  const { headers, repeated } = head;
  const [, method, authority, target] = requestLine.exec(head.firstLine) ?? [];
  if (method === undefined || target === undefined) return { status: 400, reason: 'not a valid HTTP/1.1 request' };
  const twice = single.find((name) => repeated.has(name));
  if (twice !== undefined) return { status: 400, reason: `two headers "${twice}"` };
  const host = headers.get('host');
  if (host === undefined) return { status: 400, reason: 'no header "host"' };
  if (!hostForm.test(host)) return { status: 400, reason: 'the header "host" is not a host' };
  const hasBody = headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0';
  if (hasBody) return { status: 400, reason: 'the request has a body' };
  if (!lists(head, 'upgrade', 'websocket') || !lists(head, 'connection', 'upgrade')) {
    return { status: 426, reason: 'this address accepts only WebSocket', headers: ['Upgrade: websocket'] };
  }
  if (method !== 'GET') return { status: 405, reason: 'the method must be GET', headers: ['Allow: GET'] };
  if (headers.get('sec-websocket-version') !== '13') {
    const reason = 'this server supports version 13 of WebSocket';
    return { status: 426, reason, headers: ['Upgrade: websocket', 'Sec-WebSocket-Version: 13'] };
  }
  if (!keyForm.test(headers.get('sec-websocket-key') ?? '')) {
    return { status: 400, reason: 'the header "sec-websocket-key" is missing, or is not 16 bytes in base64' };
  }
  return placeRefusal(target, address) ?? originRefusal(headers.get('origin'), authority ?? host, options);
}

/** An address without a path accepts all of them, and one without a query accepts every query. */
function placeRefusal(target: string, { path: own }: WebSocketAddress): Refusal | undefined {
  const requested = encodedPath(Buffer.from(target, 'latin1').toString());
  const [path] = requested.split('?');
  if (own === '/' || (own.includes('?') ? requested : path) === encodedPath(own)) return undefined;
  return { status: 404, reason: `there is no WebSocket at ${path}, only at ${encodedPath(own)}` };
}

/** Path and query as they are requested: in ASCII, with `%C3%A9` for "é". */
export function encodedPath(path: string): string {
  const encoded = encodeURI(path.toWellFormed()).replaceAll('%25', '%');
  return encoded.replace(/%[\da-f]{2}/g, (byte) => byte.toUpperCase());
}

function originRefusal(origin: string | undefined, host: string, options: ServerWebSocket): Refusal | undefined {
  if (origin === undefined || isAllowed(origin, host, options)) return undefined;
  return { status: 403, reason: `web pages of ${printable(origin)} may not connect; --origin allows it` };
}

/**
 * A browser reports truthfully which page it connects from, so that pages of other sites cannot use this server on behalf of
 * their visitors. The requested host counts as the server's own only where it is an IP address or localhost: the owner of any
 * other name can point it here (DNS rebinding).
 */
function isAllowed(origin: string, host: string, { origins }: ServerWebSocket): boolean {
  if (origins.includes('*') || origins.includes(origin.toLowerCase())) return true;
  const page = URL.canParse(origin) ? new URL(origin) : undefined;
  if (!page || page.host !== host) return false;
  return page.hostname === 'localhost' || isIP(page.hostname.replace(/^\[|\]$/g, '')) !== 0;
}

/** Grants the upgrade. Some clients fail unless one of the subprotocols that they offer is chosen. */
function grant({ headers }: HttpHead): string {
  const [protocol = ''] = (headers.get('sec-websocket-protocol') ?? '').split(',');
  const chosen = protocol.trim();
  return response(101, [
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptFor(headers.get('sec-websocket-key') ?? '')}`,
    ...(token.test(chosen) ? [`Sec-WebSocket-Protocol: ${chosen}`] : []),
  ]);
}

/** Sends the reason, and waits for the client to close. */
function refuseOn(connection: Connection, { status, reason, headers = [] }: Refusal, done: () => void): Receiver {
  const text = `${reason}\n`;
  const head = response(status, [
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    ...headers,
  ]);
  connection.write(Buffer.from(head + text));
  connection.end();
  const timer = realClock.deadline(lingerMs, done);
  const over = () => {
    timer.cancel();
    done();
  };
  return { onData() {}, onDrain() {}, onEnd: over, onClose: over };
}

function response(status: number, headers: readonly string[]): string {
  return `${[`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...headers].join('\r\n')}\r\n\r\n`;
}

/** A client's text as one line of ASCII: a request may contain other bytes, and the reason is sent back to it. */
function printable(text = ''): string {
  return text.toWellFormed().replace(/[^ -~]/gu, encodeURIComponent);
}

function refusalError(reason: string): YodelError {
  return new YodelError('YODEL_WEBSOCKET_REFUSED', `the WebSocket handshake with the client failed: ${reason}`);
}
