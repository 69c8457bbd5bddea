/**
 * Listeners whose connections need handshakes before their first message:
 *
 *     socket -> [PROXY header] -> [TLS handshake] -> [WebSocket upgrade] -> connection
 *
 * Uses `node:net` on both runtimes, except that without PROXY headers TLS uses Bun's own sockets on Bun
 * (`tls/bun-listener.ts`), and plain WebSocket the runtime's (`websocket/listener.ts`). All steps together share one
 * timeout, `handshakeTimeout`. A client that is stuck in
 * one of them does not delay others: it costs a descriptor and a timer.
 *
 * TLS and WebSocket are loaded only by the listeners that need them.
 */
import type * as net from 'node:net';
import { type Address, hostOf, type SocketAddress } from '../address.ts';
import { realClock, type Timer } from '../clock.ts';
import { YodelError } from '../errors.ts';
import { ownCopy } from '../framing/slices.ts';
import { type Linked, LinkedSet } from '../linked-set.ts';
import { closingWith } from './accept-queue.ts';
import { certificateMissing, handshakeTimedOut, PeerLeft, stoppedHandshake } from './listen-errors.ts';
import { connectionOf, endOf, peerOf, prepareReads } from './node/connection.ts';
import { listenBy } from './node/listener.ts';
import { nodeTransport } from './node.ts';
import { readProxyHeader } from './proxy-header.ts';
import type { Connection, Listener, ListenOptions, PendingConnection, ServerTls } from './transport.ts';
import { removeStaleSocket } from './unix-socket.ts';

/** @throws YodelError as `Transport.listen`; `YODEL_TLS` when a certificate cannot be used */
export async function listenWithHandshakes(address: SocketAddress, options: ListenOptions): Promise<Listener> {
  const tls = isSecure(address) ? await createTls(address, options.tls) : undefined;
  const upgrade = await createUpgrade(address, options);
  if (options.descriptor === undefined) await removeStaleSocket(address, nodeTransport.connect);
  const pending = new LinkedSet<Handshakes>();
  const accept = (socket: net.Socket) => {
    const handshakes = new Handshakes(socket, options);
    const peer = peerOf(socket, address);
    const steps = async () => {
      const isBalancer = options.proxies?.has(peer) ?? false;
      const isPlain = !tls && !upgrade;
      // Without further handshakes, the server itself decides about the connection: it can send the reason of a refusal.
      if (isPlain && !isBalancer) return connectionOf(socket, address, peer);
      if (!handshakes.admit(peer, isBalancer)) return undefined;
      const client = isBalancer ? await handshakes.readProxyHeader(address, peer) : peer;
      if (isPlain) return connectionOf(socket, address, client);
      if (isBalancer && !handshakes.identify(client)) return undefined;
      const connection = tls ? await tls.secure(socket, client) : connectionOf(socket, address, client);
      return upgrade ? await upgrade(connection, handshakes.pending) : connection;
    };
    pending.add(handshakes);
    void handshakes.run(steps).finally(() => pending.delete(handshakes));
  };
  await prepareReads();
  const listener = await listenBy(address, options, accept);
  const close = closingWith(listener.close, () => {
    for (const handshakes of pending) handshakes.abandon();
  });
  return { ...listener, close, renew: tls?.renew };
}

function isSecure({ scheme }: Address): boolean {
  return scheme === 'tls' || scheme === 'wss';
}

async function createTls(address: SocketAddress, options: ServerTls | undefined) {
  if (!options) throw certificateMissing(address);
  const { securityOf, TlsAcceptor } = await import('./tls/acceptor.ts');
  const { isWithoutAlert } = await import('./tls/errors.ts');
  const { tlsConnectionOf } = await import('./tls/node-connection.ts');
  const acceptor = new TlsAcceptor(options);
  return {
    /** Resolves when the TLS handshake on a socket is complete. @throws YodelError `YODEL_TLS` */
    async secure(accepted: net.Socket, client: Address): Promise<Connection> {
      const socket = await acceptor.accept(accepted, hostOf(client) ?? '').catch((error: YodelError) => {
        // Otherwise the client would see an orderly end.
        if (isWithoutAlert(error)) accepted.resetAndDestroy();
        throw error;
      });
      return tlsConnectionOf(socket, address, client, securityOf(socket));
    },
    renew: (renewed: ServerTls) => acceptor.renew(renewed),
  };
}

async function createUpgrade(address: Address, { webSocket }: ListenOptions) {
  if (!webSocket || (address.scheme !== 'ws' && address.scheme !== 'wss')) return undefined;
  const { upgrade } = await import('./websocket/upgrade.ts');
  return (connection: Connection, pending: PendingConnection | undefined) => {
    const waits = (bytes: number) => pending?.buffers(bytes, () => connection.abort());
    return upgrade(connection, address, webSocket, waits);
  };
}

/** The handshakes of one socket. */
class Handshakes implements Linked<Handshakes> {
  memberOf: object | undefined;
  previousMember: Handshakes | undefined;
  nextMember: Handshakes | undefined;
  readonly #socket: net.Socket;
  readonly #options: ListenOptions;
  /** The server's decision about it, once it was asked. */
  pending: PendingConnection | undefined;
  #timer: Timer | undefined;
  #isAbandoned = false;

  constructor(socket: net.Socket, options: ListenOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** Runs the steps and reports their outcome. Steps that resolve without a connection have refused the socket. */
  async run(steps: () => Promise<Connection | undefined>): Promise<void> {
    const socket = this.#socket;
    // Without a listener, an error event would end the process. The steps themselves report the error.
    socket.on('error', ignore);
    try {
      const connection = await Promise.race([steps(), this.#timeout()]);
      if (this.#isAbandoned) throw stoppedHandshake();
      if (!connection) socket.destroy();
      else if (this.pending) this.pending.accepted(connection);
      else this.#options.accept(connection);
    } catch (thrown) {
      const error = this.#reasonOf(thrown as Error);
      socket.destroy();
      if (this.pending) this.pending.failed(error);
      else this.#options.failed(error);
    } finally {
      this.#timer?.cancel();
    }
  }

  /** The listener closes. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#socket.destroy();
  }

  /** A peer that stays and sends nothing is not one that left. */
  #reasonOf(error: Error): Error {
    if (this.#isAbandoned) return stoppedHandshake();
    const hasLeft = error instanceof YodelError && error.code !== 'YODEL_HANDSHAKE_TIMEOUT';
    return hasLeft && this.#socket.bytesRead === 0 ? new PeerLeft(error) : error;
  }

  /** Applies the server's rules to the peer. False: it is refused. */
  admit(peer: Address, isBalancer: boolean): boolean {
    if (!this.#options.admit) return true;
    this.pending = this.#options.admit(peer, isBalancer);
    return this.pending !== undefined;
  }

  /** Applies them to the client behind a load balancer. False: it is refused. */
  identify(client: Address): boolean {
    return this.pending?.identify(client) ?? true;
  }

  /**
   * Reads the PROXY header and returns the client that it names. Bytes after the header are put back.
   *
   * @throws YodelError `YODEL_INVALID_PROXY_HEADER`
   */
  async readProxyHeader(address: Address, balancer: Address): Promise<Address> {
    const socket = this.#socket;
    let read = Buffer.alloc(0);
    for (;;) {
      const header = readProxyHeader(read);
      if (header) {
        if (read.length > header.size) socket.unshift(read.subarray(header.size));
        const { peer } = header;
        return peer?.scheme === 'tcp' ? endOf(address, peer.host, peer.port) : balancer;
      }
      read = ownCopy(Buffer.concat([read, await nextChunk(socket, `${hostOf(balancer)}`)]));
    }
  }

  #timeout(): Promise<never> {
    const { handshakeTimeout = 0 } = this.#options;
    return new Promise((_, reject) => {
      if (handshakeTimeout === 0) return;
      this.#timer = realClock.deadline(handshakeTimeout, () => reject(handshakeTimedOut(handshakeTimeout)));
    });
  }
}

/** Reads the next chunk with `read()`, so that the socket is afterwards neither flowing nor paused. */
async function nextChunk(socket: net.Socket, balancer: string): Promise<Buffer> {
  return await new Promise<Buffer>((resolve, reject) => {
    const settle = () => socket.off('readable', readable).off('end', ended).off('close', ended);
    const ended = () => {
      settle();
      reject(
        new YodelError(
          'YODEL_INVALID_PROXY_HEADER',
          `${balancer} ended its output before its PROXY header was complete`,
        ),
      );
    };
    const readable = () => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      settle();
      resolve(chunk);
    };
    socket.on('readable', readable).on('end', ended).on('close', ended);
  });
}

function ignore(): void {}
