/** Accepting WebSocket, by `ws` on both runtimes. */
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Address, WebSocketAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import { endOf } from './node.ts';
import type { Connection, Security, ServerWebSocket } from './transport.ts';
import { servedConnection } from './websocket.ts';

/**
 * A message may come in so many fragments: browsers send each message whole, and whoever sends it in single bytes makes
 * work. `ws` has 16,384. Bun's own `ws` takes no notice of it: there only the message's length bounds them.
 */
const mostFragments = 1024;
/** Of the request that asks for WebSocket. Node's default is 16 KiB; cookies of a site fit in. */
const longestRequest = 16_384;

type Upgraded = (outcome: WebSocket | Error) => void;

/** Agrees with clients to speak WebSocket. */
export class WebSocketDoor {
  readonly #address: WebSocketAddress;
  readonly #options: ServerWebSocket;
  readonly #http: Server;
  readonly #server: WebSocketServer;
  readonly #waiting = new WeakMap<object, Upgraded>();

  constructor(address: WebSocketAddress, options: ServerWebSocket) {
    this.#address = address;
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // A few bytes could become gigabytes, and each connection would keep a window for it.
      perMessageDeflate: false,
      maxPayload: options.maxMessageLength,
      // Its types do not have it yet.
      ...{ maxFragments: mostFragments },
    });
    this.#http = createServer({ maxHeaderSize: longestRequest }, (request) => {
      this.#refuse(request.socket, 426, 'this address speaks WebSocket only');
    });
    this.#http.on('upgrade', (request, socket, head) => this.#asked(request, socket as Socket, head));
    this.#http.on('clientError', (_error, socket) => this.#refuse(socket as Socket, 400, 'it sent no request of HTTP'));
  }

  /**
   * Resolves when the client has asked for it, and may have it.
   *
   * @throws YodelError `YODEL_WEBSOCKET_REFUSED`
   */
  async upgrade(socket: Socket, peer: Address, security: Security | undefined): Promise<Connection> {
    const { host, port } = this.#address;
    const local = endOf(this.#address, socket.localAddress ?? host, socket.localPort ?? port);
    return await new Promise((resolve, reject) => {
      this.#waiting.set(socket, (outcome) => {
        if (outcome instanceof Error) reject(outcome);
        // At once: its first bytes may have come already.
        else resolve(servedConnection(outcome, socket, { local, peer }, security, this.#options.maxMessageLength));
      });
      socket.once('close', () => reject(refusal('it has gone')));
      this.#http.emit('connection', socket);
    });
  }

  #asked(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { origin } = request.headers;
    const [path] = (request.url ?? '/').split('?');
    const { path: own } = this.#address;
    // Where no path was said, all of them lead here.
    if (own !== '/' && path !== own)
      return this.#refuse(socket, 404, `there is no WebSocket at ${printable(path)}, only at ${own}`);
    if (origin !== undefined && !this.#isAllowed(origin, request.headers.host)) {
      return this.#refuse(socket, 403, `web pages of ${printable(origin)} may not connect; --origin allows it`);
    }
    this.#server.handleUpgrade(request, socket, head, (opened) => this.#waiting.get(socket)?.(opened));
  }

  /**
   * A browser tells truly from which page it connects, so that others' pages cannot talk to this server in the name of who
   * looks at them. The host that it connects to counts as the server's own only where it is no name: any name's owner
   * can let it lead here (DNS rebinding).
   */
  #isAllowed(origin: string, host: string | undefined): boolean {
    const { origins } = this.#options;
    if (origins.includes('*') || origins.includes(origin.toLowerCase())) return true;
    const page = URL.canParse(origin) ? new URL(origin) : undefined;
    if (!page || page.host !== host) return false;
    return page.hostname === 'localhost' || isIP(page.hostname.replace(/^\[|\]$/g, '')) !== 0;
  }

  #refuse(socket: Socket, status: number, why: string): void {
    const text = `${why}\n`;
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(text)}`,
      ...(status === 426 ? ['Upgrade: websocket'] : []),
    ];
    const settle = this.#waiting.get(socket);
    socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => settle?.(refusal(why)));
  }
}

/** What a client has written, as ASCII in one line: in a request other bytes may stand, and the reason is told to it again. */
function printable(text = ''): string {
  return text.toWellFormed().replace(/[^ -~]/gu, encodeURIComponent);
}

function refusal(why: string): YodelError {
  return new YodelError('YODEL_WEBSOCKET_REFUSED', `no WebSocket with this client: ${why}`);
}
