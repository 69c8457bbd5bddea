/** TLS over the stream of a connection that carried plain text before. Uses `node:tls` on both runtimes. */
import * as tls from 'node:tls';
import { type Address, TlsAddress } from '../../address.ts';
import type { ConnectionStream } from '../connection-stream.ts';
import { NodeConnection } from '../node/connection.ts';
import { trustFor } from '../tls.ts';
import type { Connection, ServerTls, TlsOptions } from '../transport.ts';
import { Certificates } from './certificates.ts';
import { contextOptions, minTlsVersion } from './context.ts';
import { handshakeError, tlsError } from './errors.ts';

export { securityOf } from './acceptor.ts';

/** Begins the handshake of a client. `secureConnect` follows. @throws YodelError `YODEL_TLS` when a certificate does not fit its key */
export function clientSocket(stream: ConnectionStream, host: string, options: TlsOptions): tls.TLSSocket {
  return tls.connect({ socket: stream, host, minVersion: minTlsVersion, ...trustFor(host, options) });
}

/** The error of a client's handshake. */
export function clientError(error: unknown, peer: Address): unknown {
  return tlsError(`cannot go on over TLS with ${peer}`, error);
}

/** Begins the handshake of a server. `secure` follows. @throws YodelError `YODEL_TLS` when a certificate does not fit its key */
export function serverSocket(stream: ConnectionStream, options: ServerTls): tls.TLSSocket {
  const { clientCa, alpn } = options;
  const certificates = new Certificates(options);
  return new tls.TLSSocket(stream, {
    isServer: true,
    secureContext: tls.createSecureContext(contextOptions(options, clientCa)),
    requestCert: clientCa !== undefined,
    rejectUnauthorized: clientCa !== undefined,
    ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
    SNICallback: (name, done) => done(null, certificates.for(name)),
  });
}

/** Refuses a client without a valid certificate: without a `tls.Server` around it, the socket itself does not. */
export function refuseUntrusted(socket: tls.TLSSocket, { clientCa }: ServerTls): void {
  if (clientCa === undefined || socket.authorized) return;
  throw socket.authorizationError ?? new Error('it sent no certificate');
}

/** The error of a server's handshake. */
export function serverError(error: unknown): Error {
  return handshakeError(error instanceof Error ? error : new Error(String(error)));
}

/** The connection of an encrypted stream. */
export function encryptedConnection(socket: tls.TLSSocket): Connection {
  // An address of TLS, because such a stream cannot be reset.
  const address = new TlsAddress('localhost', 0);
  return new OverStream(socket, address, address);
}

/** A connection over an encrypted stream that is no socket, whose reads cannot be borrowed. */
class OverStream extends NodeConnection {
  protected override canBorrow(): boolean {
    return false;
  }
}
