/** The server's side of the WebSocket handshake (RFC 6455, section 4.2), on any connection. */
import { isIP } from 'node:net';
import type { WebSocketAddress } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import { PeerLeft } from '../listen-errors.ts';
import { asText, encodedPath, serves } from '../requested-path.ts';
import type { Connection, Receiver, ServerWebSocket } from '../transport.ts';
import { grantOn, type Refusal, refuseOn } from './answer.ts';
import { type CheckedDecision, checkDecision, failedWith } from './authorization.ts';
import { WebSocketConnection } from './connection.ts';
import { InvalidHead, readHead } from './head-reader.ts';
import { type HttpHead, lists } from './http-head.ts';
import { ReceivedRequest } from './received-request.ts';

/** Method, host and target. Only a request to a proxy names the host here, but servers must accept it (RFC 9112, section 3.2.2). */
const requestLine = /^(\S+) (?:(?:http|ws)s?:\/\/([^\s/?#]+))?(\/\S*) HTTP\/1\.[1-9]$/;
/** A name or an address, in brackets if it is one of IPv6, and perhaps a port. */
const hostForm = /^(?:\[[\da-f:.]+\]|[\w!$&'()*+,;=.~%-]*)(?::\d*)?$/i;
const upgradeField = ['Upgrade', 'websocket'] as const;
const keyForm = /^[A-Za-z\d+/]{22}==$/;
/** Headers that must not occur twice: each program might read another one. */
const single = ['host', 'origin', 'sec-websocket-key', 'sec-websocket-version'];

/**
 * Resolves when the client has requested the upgrade and it was granted.
 *
 * @param address where the server listens
 * @param waits called with how many bytes of an unfinished request are kept
 * @throws YodelError `YODEL_WEBSOCKET_REFUSED`, and `YODEL_HANDLER_FAILED` if the program could not decide; the client has received
 *   the reason then, where it sent a request
 */
export async function upgrade(
  connection: Connection,
  address: WebSocketAddress,
  options: ServerWebSocket,
  waits?: (bytes: number) => void,
): Promise<Connection> {
  return await new Promise((resolve, reject) => {
    readHead(connection, {
      mayBegin: (start) => /^[A-Z]+(?: |$)/.test(start),
      waits: (bytes) => waits?.(bytes),
      head(head, rest, pass) {
        const { path, scheme } = address;
        const isSecure = scheme === 'wss';
        return answerRequest(connection, head, rest, { path, isSecure, options, resolve, reject, pass });
      },
      failed(error, received) {
        if (error instanceof InvalidHead) {
          const { status, message } = error;
          return refuseOn(connection, { status, reason: message }, () => reject(refusalError(message)));
        }
        const left = refusalError('it disconnected');
        reject(received === 0 ? new PeerLeft(left) : left);
        return undefined;
      },
    });
  });
}

/** What an answer depends on, and who learns it. */
export interface Answering {
  /** The path that the server serves, with a query or not. */
  readonly path: string;
  readonly isSecure: boolean;
  readonly options: ServerWebSocket;
  /** The upgrade is granted. */
  resolve(connection: Connection): void;
  /** It is refused, and the client has received the reason. */
  reject(error: YodelError): void;
  /** Passes the events of the connection on to another receiver, from now on. */
  pass(receiver: Receiver): void;
}

/** Answers a request on its connection. Returns who receives the rest. @param rest what arrived after the head */
export function answerRequest(connection: Connection, head: HttpHead, rest: Buffer, answering: Answering): Receiver {
  const { path, isSecure, options } = answering;
  const refuse = (refusal: Refusal, error = refusalError(refusal.reason)) =>
    refuseOn(connection, refusal, () => answering.reject(error));
  const refusal = refusalOf(head, path, options);
  if (refusal) return refuse(refusal);
  const [, , , target = '/'] = requestLine.exec(head.firstLine) ?? [];
  const request = new ReceivedRequest(head, target, isSecure);
  const { peer, security } = connection;
  const { pingInterval, authorize, clock } = options;
  const upgraded = new WebSocketConnection(connection, rest, { isClient: false, peer, pingInterval, clock, request });
  const decide = (decision: CheckedDecision): Receiver => {
    if ('refusal' in decision) {
      // It was paused for the WebSocket.
      connection.resume();
      return refuse(decision.refusal, decision.error);
    }
    request.protocol = decision.protocol;
    request.data = decision.data;
    grantOn(connection, head, decision.protocol, decision.headers);
    answering.resolve(upgraded);
    return upgraded;
  };
  if (!authorize) return decide(checkDecision(true, request));
  try {
    const decision = authorize(request, { peer, security });
    if (!isPromise(decision)) return decide(checkDecision(decision, request));
    let hasLeft = false;
    void Promise.resolve(decision)
      .then((decided) => checkDecision(decided, request), failedWith)
      .then((checked) => {
        if (!hasLeft) answering.pass(decide(checked));
      });
    // What the client sends meanwhile waits in the WebSocket, which has paused the connection.
    return {
      onData: (chunk) => upgraded.onData(chunk),
      onEnd: () => upgraded.onEnd(),
      onDrain() {},
      onClose() {
        hasLeft = true;
        answering.reject(refusalError('it disconnected'));
      },
    };
  } catch (thrown) {
    return decide(failedWith(thrown));
  }
}

function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

function refusalOf(head: HttpHead, path: string, options: ServerWebSocket): Refusal | undefined {
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
    return { status: 426, reason: 'this address accepts only WebSocket', headers: [upgradeField] };
  }
  if (method !== 'GET') return { status: 405, reason: 'the method must be GET', headers: [['Allow', 'GET']] };
  if (headers.get('sec-websocket-version') !== '13') {
    const reason = 'this server supports version 13 of WebSocket';
    return { status: 426, reason, headers: [upgradeField, ['Sec-WebSocket-Version', '13']] };
  }
  if (!keyForm.test(headers.get('sec-websocket-key') ?? '')) {
    return { status: 400, reason: 'the header "sec-websocket-key" is missing, or is not 16 bytes in base64' };
  }
  return placeRefusal(target, path) ?? originRefusal(headers.get('origin'), authority ?? host, options);
}

function placeRefusal(target: string, own: string): Refusal | undefined {
  const requested = asText(target);
  if (serves(own, requested)) return undefined;
  const [path] = encodedPath(requested).split('?');
  return { status: 404, reason: `there is no WebSocket at ${path}, only at ${encodedPath(own)}` };
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

/** A client's text as one line of ASCII: a request may contain other bytes, and the reason is sent back to it. */
function printable(text = ''): string {
  return text.toWellFormed().replace(/[^ -~]/gu, encodeURIComponent);
}

function refusalError(reason: string): YodelError {
  return new YodelError('YODEL_WEBSOCKET_REFUSED', `the WebSocket handshake with the client failed: ${reason}`);
}
