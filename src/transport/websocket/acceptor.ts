/** The server's side of the WebSocket handshake. Uses `ws` on both runtimes. */
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Address, WebSocketAddress } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import { endOf } from '../node/connection.ts';
import type { Connection, Security, ServerWebSocket } from '../transport.ts';
import { servedConnection } from './served.ts';

/**
 * The maximum number of fragments per message. Browsers send each message unfragmented, and one sent byte by byte is
 * expensive. The default of `ws` is 16,384. Bun's own `ws` ignores this option: there only the message's length limits it.
 */
const maxFragments = 1024;
/** The longest handshake request, in bytes. As Node's default; a site's cookies fit. */
const maxRequestSize = 16_384;

type Settle = (outcome: WebSocket | Error) => void;

/** Upgrades accepted sockets to WebSocket. */
export class WebSocketAcceptor {
  readonly #address: WebSocketAddress;
  readonly #options: ServerWebSocket;
  readonly #http: Server;
  readonly #server: WebSocketServer;
  readonly #pending = new WeakMap<object, Settle>();

  constructor(address: WebSocketAddress, options: ServerWebSocket) {
    this.#address = address;
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // A few bytes could inflate to gigabytes, and each connection would keep a window.
      perMessageDeflate: false,
      maxPayload: options.maxMessageLength,
      // Missing in its types.
      ...{ maxFragments },
    });
    this.#http = createServer({ maxHeaderSize: maxRequestSize }, (request) => {
      this.#refuse(request.socket, 426, 'this address accepts only WebSocket');
    });
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head));
    this.#http.on('clientError', (_error, socket) => this.#refuse(socket as Socket, 400, 'not a valid HTTP request'));
  }

  /**
   * Resolves when the client has requested the upgrade and it was granted.
   *
   * @throws YodelError `YODEL_WEBSOCKET_REFUSED`
   */
  async accept(socket: Socket, peer: Address, security: Security | undefined): Promise<Connection> {
    const { host, port } = this.#address;
    const local = endOf(this.#address, socket.localAddress ?? host, socket.localPort ?? port);
    return await new Promise((resolve, reject) => {
      this.#pending.set(socket, (outcome) => {
        if (outcome instanceof Error) reject(outcome);
        // Created at once: the first bytes may already have arrived.
        else resolve(servedConnection(outcome, socket, { local, peer }, security, this.#options.maxMessageLength));
      });
      socket.once('close', () => reject(refusal('it disconnected')));
      this.#http.emit('connection', socket);
    });
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { origin } = request.headers;
    const [path] = (request.url ?? '/').split('?');
    const { path: own } = this.#address;
    // An address without a path accepts all of them.
    if (own !== '/' && path !== own)
      return this.#refuse(socket, 404, `there is no WebSocket at ${printable(path)}, only at ${own}`);
    if (origin !== undefined && !this.#isAllowed(origin, request.headers.host)) {
      return this.#refuse(socket, 403, `web pages of ${printable(origin)} may not connect; --origin allows it`);
    }
    this.#server.handleUpgrade(request, socket, head, (opened) => this.#pending.get(socket)?.(opened));
  }

  /**
   * A browser reports truthfully which page it connects from, so that pages of other sites cannot use this server on
   * behalf of their visitors. The requested host counts as the server's own only where it is an IP address or localhost: the owner
   * of any other name can point it here (DNS rebinding).
   */
  #isAllowed(origin: string, host: string | undefined): boolean {
    const { origins } = this.#options;
    if (origins.includes('*') || origins.includes(origin.toLowerCase())) return true;
    const page = URL.canParse(origin) ? new URL(origin) : undefined;
    if (!page || page.host !== host) return false;
    return page.hostname === 'localhost' || isIP(page.hostname.replace(/^\[|\]$/g, '')) !== 0;
  }

  #refuse(socket: Socket, status: number, reason: string): void {
    const text = `${reason}\n`;
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(text)}`,
      ...(status === 426 ? ['Upgrade: websocket'] : []),
    ];
    const settle = this.#pending.get(socket);
    socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => settle?.(refusal(reason)));
  }
}

/** A client's text as one line of ASCII: a request may contain other bytes, and the reason is sent back to it. */
function printable(text = ''): string {
  return text.toWellFormed().replace(/[^ -~]/gu, encodeURIComponent);
}

function refusal(reason: string): YodelError {
  return new YodelError('YODEL_WEBSOCKET_REFUSED', `the WebSocket handshake with the client failed: ${reason}`);
}
