/**
 * TLS listeners over Bun's own sockets: `node:tls` on Bun costs a third more for small messages (`npm run bench`).
 *
 * Each accepted socket is upgraded by itself (`socket.upgradeTLS`), so that it gets the certificates that are current then.
 * Bun uses this for its `node:tls`, but does not document the server's side of it: {@link canUpgrade} tries it on a real
 * connection before anything relies on it. If that fails, `node:tls` is used.
 */
import * as tls from 'node:tls';
import { type Address, hostOf, type SocketAddress, TlsAddress } from '../../address.ts';
import { realClock, type Timer } from '../../clock.ts';
import type { YodelError } from '../../errors.ts';
import { type Linked, LinkedSet } from '../../linked-set.ts';
import { closingWith } from '../accept-queue.ts';
import { events, listenBy } from '../bun.ts';
import type { BunHandlers, BunSocket, SocketEvents } from '../bun-socket.ts';
import { certificateMissing, handshakeTimedOut, PeerLeft, stoppedHandshake } from '../listen-errors.ts';
import type { Listener, ListenOptions, PendingConnection, ServerTls } from '../transport.ts';
import { problemOfResumed, TlsSecurity } from './acceptor.ts';
import { BunTlsConnection } from './bun-connection.ts';
import { Certificates } from './certificates.ts';
import { brokenTls, handshakeError, isTlsError, isWithoutAlert, untrustedClient } from './errors.ts';
import { handshakeQueue } from './handshake-queue.ts';

/** A socket after its upgrade, and the part of the one before it that is used here. */
interface SecureSocket extends BunSocket {
  readonly alpnProtocol: string | false | null;
  readonly authorized: boolean;
  getPeerCertificate(): tls.DetailedPeerCertificate;
  getServername(): string | undefined;
  getTLSVersion(): string;
}

interface PlainSocket extends BunSocket {
  upgradeTLS(options: {
    readonly data: SocketEvents;
    readonly isServer: true;
    readonly tls: Record<string, unknown>;
    readonly socket: Partial<SecureHandlers>;
  }): [BunSocket, SecureSocket];
}

interface SecureHandlers extends BunHandlers {
  handshake(socket: SecureSocket, succeeded: boolean, error: Error | null): void;
  /** Chooses the certificate for a requested name. Undefined: the main one. */
  serverName(data: unknown, name: string): unknown;
  binaryType: 'buffer';
}

let trial: Promise<boolean> | undefined;

/** Whether {@link listenTls} works on this Bun. Tried once, on a loopback connection; takes a few milliseconds. */
export function canUpgrade({ cert, key }: ServerTls): Promise<boolean> {
  trial ??= tryUpgrade({ cert, key });
  return trial;
}

/** @throws YodelError as `Transport.listen`; `YODEL_TLS` when a certificate cannot be used */
export function listenTls(address: SocketAddress, options: ListenOptions): Listener {
  const { tls: serverTls } = options;
  if (!serverTls) throw certificateMissing(address);
  const certificates = new Certificates(serverTls);
  const pending = new LinkedSet<Handshake>();
  const upgrade = upgradeBy(certificates, serverTls);
  // Without a handler for data, Bun does not create a buffer for each encrypted chunk.
  const { data: _, ...plainEvents } = events;
  const listener = listenBy(address, options, plainEvents, (socket, peer, waited) => {
    if (waited) socket.resume();
    const handshake = new Handshake(address, peer, options, pending);
    if (!handshake.admit()) {
      socket.data = ignoreEvents;
      return void socket.end();
    }
    handshake.wait(socket);
    handshakeQueue.add(hostOf(peer) ?? '', () => handshake.begin(() => upgrade(socket as PlainSocket, handshake)));
  });
  return {
    ...listener,
    renew: (renewed) => certificates.renew(renewed),
    close: closingWith(listener.close, () => {
      for (const handshake of pending) handshake.abandon();
    }),
  };
}

/** Returns a function that begins the handshake on an accepted socket. */
function upgradeBy(certificates: Certificates, { clientCa, alpn }: ServerTls) {
  const requestCert = clientCa !== undefined;
  const ALPNProtocols =
    alpn && Buffer.concat(alpn.map((name) => Buffer.from(`${String.fromCharCode(name.length)}${name}`)));
  const handlers: Partial<SecureHandlers> = {
    ...events,
    binaryType: 'buffer',
    error: (socket, error) => {
      if (!isTlsError(error)) return events.error(socket, error);
      socket.data.closed(brokenTls(error, undefined));
      // Not a reset: it could overtake the alert that tells the client why.
      socket.end();
    },
    serverName: (_data, name) => certificates.for(name)?.context,
    handshake: ({ data }, succeeded, error) => {
      if (data instanceof Handshake) data.complete(succeeded && !(requestCert && error), error);
    },
  };
  return (socket: PlainSocket, handshake: Handshake): SecureSocket => {
    const secureContext = certificates.main.context;
    const options = { secureContext, requestCert, rejectUnauthorized: requestCert, ALPNProtocols };
    const [, secured] = socket.upgradeTLS({ data: handshake, isServer: true, tls: options, socket: handlers });
    return secured;
  };
}

/** The handshake with one client. */
class Handshake implements SocketEvents, Linked<Handshake> {
  memberOf: object | undefined;
  previousMember: Handshake | undefined;
  nextMember: Handshake | undefined;
  readonly #address: SocketAddress;
  readonly #peer: Address;
  readonly #options: ListenOptions;
  readonly #all: LinkedSet<Handshake>;
  #pending: PendingConnection | undefined;
  /** The accepted one, then the upgraded one. */
  #socket: BunSocket | undefined;
  #timer: Timer | undefined;
  #hasBegun = false;

  /** @param all the handshakes of the listener */
  constructor(address: SocketAddress, peer: Address, options: ListenOptions, all: LinkedSet<Handshake>) {
    this.#address = address;
    this.#peer = peer;
    this.#options = options;
    this.#all = all;
  }

  /** Applies the server's rules to the peer. False: it is refused. */
  admit(): boolean {
    if (!this.#options.admit) return true;
    this.#pending = this.#options.admit(this.#peer);
    return this.#pending !== undefined;
  }

  /** Reads nothing until {@link begin}: TLS begins with the client. */
  wait(socket: BunSocket): void {
    this.#socket = socket;
    socket.data = this;
    this.#all.add(this);
    socket.pause();
    const { handshakeTimeout = 0 } = this.#options;
    if (handshakeTimeout === 0) return;
    this.#timer = realClock.deadline(handshakeTimeout, () => this.#fail(handshakeTimedOut(handshakeTimeout)));
  }

  /** False: it is over already. */
  begin(upgrade: () => SecureSocket): boolean {
    if (this.memberOf === undefined) return false;
    const plain = this.#socket as BunSocket;
    // The upgraded socket reports all of these too.
    plain.data = ignoreEvents;
    this.#hasBegun = true;
    this.#socket = upgrade();
    this.#socket.resume();
    return true;
  }

  /** The handshake has ended. @param error why it failed, or why the client's certificate is not trusted */
  complete(succeeded: boolean, error: Error | null): void {
    if (!succeeded) return this.#fail(failureOf(error ?? new Error(untrustedClient)));
    const socket = this.#socket as SecureSocket;
    const problem = this.#options.tls?.clientCa === undefined ? undefined : problemOfResumed(socket);
    if (problem) return this.#fail(handshakeError(problem));
    if (!this.#settle()) return;
    handshakeQueue.ended(true);
    const security = new TlsSecurity(socket, {
      protocol: socket.getTLSVersion(),
      servername: socket.getServername() || undefined,
      alpn: socket.alpnProtocol || undefined,
    });
    const connection = new BunTlsConnection(socket, this.#address, this.#peer, security);
    if (this.#pending) this.#pending.accepted(connection);
    else this.#options.accept(connection);
    connection.awaitStart();
  }

  /** The listener closes. */
  abandon(): void {
    this.#fail(stoppedHandshake());
  }

  closed(error: Error | undefined): void {
    this.#fail(failureOf(error));
  }

  received(): void {}

  writable(): void {}

  /** A client that ends its output cannot complete its handshake. */
  ended(): void {
    this.closed(undefined);
  }

  #fail(error: YodelError): void {
    if (!this.#settle()) return;
    if (this.#hasBegun) handshakeQueue.ended(false);
    // A reset could overtake the alert that tells the client why. Without one, the client would see an orderly end.
    if (isWithoutAlert(error)) this.#socket?.terminate();
    else this.#socket?.end();
    if (this.#pending) this.#pending.failed(error);
    else this.#options.failed(error);
  }

  /** Returns whether this is the first outcome. */
  #settle(): boolean {
    this.#timer?.cancel();
    return this.#all.delete(this);
  }
}

/**
 * Why a handshake failed. Bun does not say whether a client that disconnected had sent something, so all of them count as
 * {@link PeerLeft}.
 */
function failureOf(error: Error | undefined): YodelError {
  const failure = handshakeError(error ?? new Error('it disconnected'));
  const hasLeft = !error || (error as NodeJS.ErrnoException).code === 'ECONNRESET';
  return hasLeft ? new PeerLeft(failure) : failure;
}

const ignoreEvents: SocketEvents = {
  received: () => undefined,
  writable: () => undefined,
  ended: () => undefined,
  closed: () => undefined,
};

async function tryUpgrade(options: ServerTls): Promise<boolean> {
  const served = Promise.withResolvers<boolean>();
  const failed = () => served.resolve(false);
  // Reached only on a stalled machine; `node:tls` works there too.
  const timer = setTimeout(failed, 1000);
  let client: tls.TLSSocket | undefined;
  let listener: Listener | undefined;
  try {
    const accept: ListenOptions['accept'] = (connection) => connection.release();
    listener = listenTls(new TlsAddress('127.0.0.1', 0), { backlog: 1, tls: options, accept, failed });
    const { port } = listener.address as TlsAddress;
    client = tls.connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false });
    client
      .on('secureConnect', () => served.resolve(true))
      .on('error', failed)
      .on('close', failed);
    return await served.promise;
  } catch {
    // Any failure means that this Bun works differently.
    return false;
  } finally {
    clearTimeout(timer);
    client?.destroy();
    await listener?.close();
  }
}
