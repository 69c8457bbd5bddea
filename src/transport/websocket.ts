/** Connects over WebSocket: the client's side of the handshake (RFC 6455, section 4.1), on a connection of TCP or TLS. */
import { randomBytes } from 'node:crypto';
import { TcpAddress, TlsAddress, type WebSocketAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import { clientOptions } from '../options.ts';
import { encodedPath } from './requested-path.ts';
import type { Connection, DialOptions, Transport } from './transport.ts';
import { acceptFor } from './websocket/answer.ts';
import { WebSocketConnection } from './websocket/connection.ts';
import { InvalidHead, readHead } from './websocket/head-reader.ts';
import { type HttpHead, lists } from './websocket/http-head.ts';

/** How to connect over WebSocket. */
export interface UpgradeOptions extends DialOptions {
  /** Further headers of the request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * Resolves when the server has granted the upgrade.
 *
 * @param connect connects over TCP and TLS
 * @throws YodelError as `Transport.connect`; `YODEL_WEBSOCKET_REFUSED` when the server answers, but not with WebSocket
 */
export async function connectWebSocket(
  address: WebSocketAddress,
  options: UpgradeOptions,
  connect: Transport['connect'],
): Promise<Connection> {
  const { scheme, host, port } = address;
  const below = scheme === 'wss' ? new TlsAddress(host, port) : new TcpAddress(host, port);
  try {
    return await requestUpgrade(await connect(below, options), address, options);
  } catch (error) {
    throw renamed(error, below, address);
  }
}

async function requestUpgrade(
  connection: Connection,
  address: WebSocketAddress,
  { signal, pingInterval = clientOptions.pingInterval.default, clock, headers = {} }: UpgradeOptions,
): Promise<Connection> {
  const startedAt = performance.now();
  const key = randomBytes(16).toString('base64');
  const opened = Promise.withResolvers<Connection>();
  const refuse = (reason: string, cause?: Error) => {
    const text = `cannot connect to ${address}: the server does not speak WebSocket at this address: ${reason}`;
    opened.reject(new YodelError('YODEL_WEBSOCKET_REFUSED', text, { cause }));
  };
  const aborted = () => opened.reject(signal?.reason);
  signal?.addEventListener('abort', aborted);
  readHead(connection, {
    mayBegin: (start) => start.startsWith('HTTP/') || 'HTTP/'.startsWith(start),
    isInterim: ({ firstLine }) => /^HTTP\/1\.1 1(?!01)\d\d(?: |$)/.test(firstLine),
    head(head, rest) {
      const upgraded = new WebSocketConnection(connection, rest, {
        isClient: true,
        peer: address,
        pingInterval,
        clock,
        upgrade: { status: head.firstLine, headers: head.headers, tookMs: performance.now() - startedAt },
      });
      const problem = problemOf(head, key);
      if (problem === undefined) opened.resolve(upgraded);
      else refuse(problem);
      return upgraded;
    },
    failed(error) {
      if (error instanceof InvalidHead) refuse(error.message, error);
      else if (error instanceof YodelError && error.code === 'YODEL_WEBSOCKET_REFUSED')
        refuse('it closed the connection', error);
      else opened.reject(systemError(`cannot connect to ${address}`, error));
      return undefined;
    },
  });
  connection.write(Buffer.from(request(address, key, headers)));
  try {
    signal?.throwIfAborted();
    return await opened.promise;
  } catch (error) {
    connection.abort();
    throw error;
  } finally {
    signal?.removeEventListener('abort', aborted);
  }
}

function request(
  { scheme, host, port, path }: WebSocketAddress,
  key: string,
  headers: Readonly<Record<string, string>>,
): string {
  const name = host.includes(':') ? `[${host}]` : host;
  const isUsualPort = port === (scheme === 'wss' ? 443 : 80);
  const lines = [
    `GET ${encodedPath(path)} HTTP/1.1`,
    `Host: ${name}${isUsualPort ? '' : `:${port}`}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
    ...Object.entries(headers).map(([header, value]) => `${header}: ${value}`),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** What is wrong with the server's answer, if anything. */
function problemOf(head: HttpHead, key: string): string | undefined {
  const { firstLine, headers } = head;
  const [, status] = /^HTTP\/1\.\d (\d{3})(?: |$)/.exec(firstLine) ?? [];
  if (status === undefined) return 'it does not answer with HTTP';
  if (status !== '101') return `it answered with HTTP status ${status}`;
  if (!lists(head, 'upgrade', 'websocket') || !lists(head, 'connection', 'upgrade')) {
    return 'it switched to another protocol';
  }
  if (headers.get('sec-websocket-accept') !== acceptFor(key)) return 'its answer does not belong to the request';
  const unasked = ['sec-websocket-extensions', 'sec-websocket-protocol'].find((name) => headers.has(name));
  return unasked && `it chose something that was not offered, in ${unasked}`;
}

/** The error with the address that the caller knows. */
function renamed(error: unknown, below: TcpAddress | TlsAddress, address: WebSocketAddress): unknown {
  if (!(error instanceof YodelError)) return error;
  const { code, message, cause } = error;
  return new YodelError(code, message.replace(String(below), String(address)), { cause });
}
