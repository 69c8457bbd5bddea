/** The server's side of TLS over a socket or another stream. */
import type * as net from 'node:net';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { YodelError } from '../../errors.ts';
import type { Certificate, Security, ServerTls } from '../transport.ts';
import { certificateOf } from './certificate.ts';
import { Certificates } from './certificates.ts';
import { disconnected, handshakeError, noClientCertificate } from './errors.ts';
import { handshakeQueue } from './handshake-queue.ts';
import { firstRecord } from './hello.ts';
import { distinguishedName } from './names.ts';

/**
 * Does handshakes, each with a `TLSSocket` of its own: a `tls.Server` reports those of all its sockets together, and only by
 * the addresses of their peers, which are not unique and unknown after a reset. Its certificates can be replaced at any time.
 */
export class TlsAcceptor {
  readonly #certificates: Certificates;
  readonly #requestsCertificate: boolean;
  readonly #options: tls.TLSSocketOptions;

  /** @throws YodelError `YODEL_TLS` when a certificate does not fit its key */
  constructor(options: ServerTls) {
    const { alpn, clientCa } = options;
    const certificates = new Certificates(options);
    this.#certificates = certificates;
    this.#requestsCertificate = clientCa !== undefined;
    this.#options = {
      isServer: true,
      requestCert: this.#requestsCertificate,
      rejectUnauthorized: this.#requestsCertificate,
      ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
      SNICallback: (name, done) => done(null, certificates.for(name)),
    };
  }

  /** Replaces the certificates. @throws YodelError `YODEL_TLS`; the old ones then stay in use */
  renew(options: ServerTls): void {
    this.#certificates.renew(options);
  }

  /**
   * Does the handshake on an accepted socket, when its first message has arrived and it is its turn. Rejects if that fails: close
   * the socket then.
   *
   * @param host of the client
   * @throws YodelError `YODEL_TLS`
   */
  async accept(accepted: net.Socket, host: string): Promise<tls.TLSSocket> {
    await firstRecord(accepted);
    const { socket, completed } = await new Promise<ServerHandshake>((resolve, reject) => {
      const left = () => reject(disconnected());
      accepted.on('close', left);
      handshakeQueue.add(host, () => {
        if (accepted.destroyed) return false;
        accepted.off('close', left);
        if (hasEnded(accepted)) {
          left();
          return false;
        }
        resolve(this.begin(accepted));
        return true;
      });
    });
    await completed.then(
      () => handshakeQueue.ended(true),
      (error: unknown) => {
        handshakeQueue.ended(false);
        throw error;
      },
    );
    return socket;
  }

  /** Begins a handshake with a client. */
  begin(stream: Duplex): ServerHandshake {
    const socket = new tls.TLSSocket(stream, { ...this.#options, secureContext: this.#certificates.main });
    // A renegotiation costs as much as a handshake. Node itself allows three, and then only reports more of them.
    socket.disableRenegotiation();
    socket.on('_tlsError', destroyed);
    return { socket, completed: this.#complete(socket) };
  }

  async #complete(socket: tls.TLSSocket): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: Error) => {
        socket.off('secure', secured).off('error', settle).off('end', left).off('close', left);
        if (error) reject(error instanceof YodelError ? error : handshakeError(error));
        else resolve();
      };
      const secured = () => settle(this.#requestsCertificate ? problemOf(socket) : undefined);
      const left = () => settle(disconnected());
      // A client that ends its output cannot complete its handshake. Nor can one that reset its connection, which Node
      // reports as an end, too, if the first to notice was a write.
      socket.on('secure', secured).on('error', settle).on('end', left).on('close', left);
    });
  }
}

/** A handshake with a client that has begun. */
export interface ServerHandshake {
  readonly socket: tls.TLSSocket;
  /**
   * Resolves when the handshake is complete and the client's certificate, if one is required, is trusted.
   *
   * @throws YodelError `YODEL_TLS`: close the socket then
   */
  readonly completed: Promise<void>;
}

/**
 * Whether the end of a socket was read while its first bytes still wait. Bun does not tell it to a `TLSSocket`, whose handshake
 * would then last until it times out.
 */
function hasEnded(socket: net.Socket): boolean {
  const { _readableState } = socket as unknown as { readonly _readableState?: { readonly ended?: boolean } };
  return _readableState?.ended ?? false;
}

/** Node reports errors of a socket without a `tls.Server` only by this event, and leaves the connection open. */
function destroyed(this: tls.TLSSocket, error: Error): void {
  this.destroy(error);
}

/** The part of an encrypted socket that is not public: what OpenSSL found wrong with the peer's certificate. */
interface InnerSocket {
  readonly _handle?: { verifyError?(): Error | null | undefined } | null;
}

/**
 * Why the client's certificate is not trusted. Node leaves that to a `tls.Server`. Bun verifies by itself: there, such a
 * handshake has failed before.
 */
function problemOf(socket: tls.TLSSocket): Error | undefined {
  if (socket.authorized) return problemOfResumed(socket);
  const { _handle } = socket as unknown as InnerSocket;
  if (!_handle?.verifyError) return new Error('its certificate cannot be verified');
  const error = _handle.verifyError();
  if (error) return error;
  // A session that is resumed may be one without a certificate.
  if (!socket.getPeerCertificate()?.subject) return new Error(noClientCertificate);
  socket.authorized = true;
  return problemOfResumed(socket);
}

/** A session that is resumed was verified when it was new: the client's certificate may have expired since. */
export function problemOfResumed(socket: Pick<tls.TLSSocket, 'getPeerCertificate'>): Error | undefined {
  const { valid_to: validTo } = socket.getPeerCertificate();
  if (Date.now() < Date.parse(validTo)) return undefined;
  return Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });
}

/** The part of an encrypted socket that knows the client's certificate, on both runtimes. */
export type CertifiedSocket = Pick<tls.TLSSocket, 'authorized' | 'getPeerCertificate'>;

/** The result of a handshake. The certificate is read when it is asked for: an idle session keeps only its subject. */
export class TlsSecurity implements Security {
  readonly protocol: string;
  readonly servername: string | undefined;
  readonly alpn: string | undefined;
  readonly subject: string | undefined;
  readonly #socket: CertifiedSocket;
  #certificate: Certificate | undefined;

  constructor(socket: CertifiedSocket, { protocol, servername, alpn }: Omit<Security, 'subject' | 'certificate'>) {
    this.protocol = protocol;
    this.servername = servername;
    this.alpn = alpn;
    const { subject } = (socket.authorized ? socket.getPeerCertificate() : undefined) ?? {};
    this.subject = subject && distinguishedName(subject);
    this.#socket = socket;
  }

  get certificate(): Certificate | undefined {
    if (this.subject !== undefined) this.#certificate ??= certificateOf(this.#socket.getPeerCertificate());
    return this.#certificate;
  }
}

/** The result of the handshake. */
export function securityOf(socket: tls.TLSSocket): Security {
  const { servername } = socket as { servername?: string | false };
  return new TlsSecurity(socket, {
    protocol: socket.getProtocol() ?? 'unknown',
    servername: servername || undefined,
    alpn: socket.alpnProtocol || undefined,
  });
}
