/** The server's side of TLS. */
import type * as net from 'node:net';
import * as tls from 'node:tls';
import { longestDuration } from '../../options.ts';
import type { Security, ServerTls } from '../transport.ts';
import { Certificates } from './certificates.ts';
import { contextOptions } from './context.ts';
import { handshakeError, untrustedClient } from './errors.ts';
import { distinguishedName } from './names.ts';

/** Does the handshake on accepted sockets. Its certificates can be replaced at any time. */
export class TlsAcceptor {
  readonly #server: tls.Server;
  readonly #requestsCertificate: boolean;
  readonly #certificates: Certificates;
  /** Handshakes in progress, by the addresses of their sockets. */
  readonly #pending = new Map<string, (outcome: tls.TLSSocket | Error) => void>();

  /** @throws YodelError `YODEL_TLS` when a certificate does not fit its key */
  constructor(options: ServerTls) {
    const { alpn, clientCa } = options;
    this.#certificates = new Certificates(options);
    this.#requestsCertificate = clientCa !== undefined;
    this.#server = tls.createServer({
      allowHalfOpen: true,
      ...contextOptions(options, clientCa),
      // The listener's own timeout covers all handshakes of a connection together.
      handshakeTimeout: longestDuration,
      requestCert: this.#requestsCertificate,
      rejectUnauthorized: this.#requestsCertificate,
      ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
      SNICallback: (name, done) => done(null, this.#certificates.for(name)),
    });
    this.#server.on('secureConnection', (socket) => this.#settle(socket, socket));
    this.#server.on('tlsClientError', (error, socket) => this.#settle(socket, error));
  }

  /** Replaces the certificates. @throws YodelError `YODEL_TLS`; the old ones then stay in use */
  renew(options: ServerTls): void {
    this.#certificates.renew(options);
    this.#server.setSecureContext(contextOptions(options, options.clientCa));
  }

  /**
   * Resolves when the handshake with a client is complete.
   *
   * @throws YodelError `YODEL_TLS`
   */
  async accept(socket: net.Socket): Promise<tls.TLSSocket> {
    const key = keyOf(socket);
    const outcome = await new Promise<tls.TLSSocket | Error>((resolve) => {
      this.#pending.set(key, resolve);
      // Node closes a client with a bad certificate without reporting an error.
      const reason = this.#requestsCertificate ? `${untrustedClient}, or it disconnected` : 'it disconnected';
      socket.once('close', () => resolve(new Error(reason)));
      this.#server.emit('connection', socket);
    }).finally(() => this.#pending.delete(key));
    if (outcome instanceof Error) throw handshakeError(outcome);
    return outcome;
  }

  #settle(socket: tls.TLSSocket, outcome: tls.TLSSocket | Error): void {
    this.#pending.get(keyOf(socket))?.(outcome);
  }
}

/** The result of the handshake. */
export function securityOf(socket: tls.TLSSocket): Security {
  const { servername } = socket as { servername?: string | false };
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    servername: servername || undefined,
    alpn: socket.alpnProtocol || undefined,
    subject: subjectOf(socket),
  };
}

/** The subject of the client's certificate, if it is valid. */
export function subjectOf(socket: Pick<tls.TLSSocket, 'authorized' | 'getPeerCertificate'>): string | undefined {
  const { subject } = (socket.authorized ? socket.getPeerCertificate() : undefined) ?? {};
  return subject && distinguishedName(subject);
}

/** A key that an encrypted socket and the socket below it share: both report the same addresses. */
function keyOf({ remoteAddress, remotePort }: net.Socket): string {
  return `${remoteAddress}|${remotePort}`;
}
