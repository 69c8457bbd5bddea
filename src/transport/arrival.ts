/**
 * Listening where something stands before the first message:
 *
 *     socket -> [PROXY header] -> [TLS handshake] -> [WebSocket upgrade] -> connection
 *
 * By `node:net` on both runtimes. All steps together have one time, `handshakeTimeout`, and a client that is stuck in one of
 * them holds up nobody: it costs a descriptor and a timer.
 */
import type * as net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Address, hostOf } from '../address.ts';
import { YodelError } from '../errors.ts';
import { connectionOf, endOf, listenBy, nodeTransport, peerOf } from './node.ts';
import { readProxyHeader } from './proxy-header.ts';
import { securityOf, TlsDoor } from './tls.ts';
import type { Arrival, Connection, Listener, ListenOptions } from './transport.ts';
import { removeStaleSocket } from './unix-socket.ts';
import { WebSocketDoor } from './websocket-door.ts';

/** @throws YodelError as `Transport.listen`; `YODEL_TLS` when a certificate cannot be used */
export async function listenForArrivals(address: Address, options: ListenOptions): Promise<Listener> {
  const { scheme } = address;
  const isSecure = scheme === 'tls' || scheme === 'wss';
  if (isSecure && !options.tls) {
    throw new YodelError('YODEL_TLS', `cannot listen on ${address}: TLS needs a certificate and its key`);
  }
  const tls = isSecure && options.tls ? new TlsDoor(options.tls) : undefined;
  const isWeb = scheme === 'ws' || scheme === 'wss';
  const webSocket = isWeb && options.webSocket ? new WebSocketDoor(address, options.webSocket) : undefined;
  if (options.descriptor === undefined) await removeStaleSocket(address, nodeTransport.connect);
  const underWay = new Set<net.Socket>();
  const came = (socket: net.Socket) => {
    underWay.add(socket);
    const peer = peerOf(socket, address);
    const steps = async (entrance: Entrance) => {
      const known = options.proxies?.has(peer) ? await entrance.readHeader(address, peer) : peer;
      if (!entrance.arrives(known)) return undefined;
      const secured = tls ? await tls.secure(socket) : socket;
      const security = tls ? securityOf(secured as TLSSocket) : undefined;
      if (webSocket) return await webSocket.upgrade(secured, known, security);
      return connectionOf(secured, address, known, security);
    };
    void new Entrance(socket, options).pass(steps).finally(() => underWay.delete(socket));
  };
  const listener = await listenBy(address, options, came);
  const close = async () => {
    for (const socket of underWay) socket.destroy();
    await listener.close();
  };
  return { ...listener, close, renew: tls && ((certificates) => tls.renew(certificates)) };
}

/** The way of one socket to its connection. */
class Entrance {
  readonly #socket: net.Socket;
  readonly #options: ListenOptions;
  #arrival: Arrival | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: net.Socket, options: ListenOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Takes the steps. Undefined: the socket was refused. */
  async pass(steps: (entrance: Entrance) => Promise<Connection | undefined>): Promise<void> {
    const socket = this.#socket;
    // An error event must find a listener, or it would end the process. What is wrong is told by the steps.
    socket.on('error', ignore);
    try {
      const connection = await Promise.race([steps(this), this.#tooLate()]);
      if (!connection) socket.destroy();
      else if (this.#arrival) this.#arrival.accepted(connection);
      else this.#options.accept(connection);
    } catch (error) {
      socket.destroy();
      if (this.#arrival) this.#arrival.failed(error as Error);
      else this.#options.failed(error as Error);
    } finally {
      clearTimeout(this.#timer);
    }
  }

  /** False: the peer is refused. */
  arrives(peer: Address): boolean {
    if (!this.#options.arrive) return true;
    this.#arrival = this.#options.arrive(peer);
    return this.#arrival !== undefined;
  }

  /**
   * Whose connection it is, by its PROXY header. What came behind the header is as if it had come just now.
   *
   * @throws YodelError `YODEL_INVALID_PROXY_HEADER`
   */
  async readHeader(at: Address, balancer: Address): Promise<Address> {
    const socket = this.#socket;
    let read = Buffer.alloc(0);
    for (;;) {
      const header = readProxyHeader(read);
      if (header) {
        if (read.length > header.size) socket.unshift(read.subarray(header.size));
        const { peer } = header;
        return peer?.scheme === 'tcp' ? endOf(at, peer.host, peer.port) : balancer;
      }
      read = Buffer.concat([read, await nextChunk(socket, `${hostOf(balancer)}`)]);
    }
  }

  #tooLate(): Promise<never> {
    const { handshakeTimeout = 0 } = this.#options;
    return new Promise((_, reject) => {
      if (handshakeTimeout === 0) return;
      const text = `not ready for its first message within ${handshakeTimeout} ms`;
      this.#timer = setTimeout(() => reject(new YodelError('YODEL_HANDSHAKE_TIMEOUT', text)), handshakeTimeout);
    });
  }
}

/** What comes next. Asked for by `read`, so that the socket neither flows nor is paused afterwards. */
async function nextChunk(socket: net.Socket, balancer: string): Promise<Buffer> {
  return await new Promise<Buffer>((resolve, reject) => {
    const settle = () => socket.off('readable', came).off('end', ended).off('close', ended);
    const ended = () => {
      settle();
      reject(new YodelError('YODEL_INVALID_PROXY_HEADER', `${balancer} ended before its PROXY header was complete`));
    };
    const came = () => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      settle();
      resolve(chunk);
    };
    socket.on('readable', came).on('end', ended).on('close', ended);
  });
}

function ignore(): void {}
