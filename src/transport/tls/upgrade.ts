/** TLS over the stream of a connection that carried plain text before. Uses `node:tls` on both runtimes. */
import * as tls from 'node:tls';
import { type Address, TlsAddress } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import type { ConnectionStream } from '../connection-stream.ts';
import { trustFor } from '../tls.ts';
import type { Connection, Security, ServerTls, TlsOptions } from '../transport.ts';
import { type ServerHandshake, TlsAcceptor } from './acceptor.ts';
import { minTlsVersion } from './context.ts';
import { handshakeError, tlsError } from './errors.ts';
import { TlsConnection } from './node-connection.ts';

export { securityOf } from './acceptor.ts';

/** Begins the handshake of a client. `secureConnect` follows. @throws YodelError `YODEL_TLS` when a certificate does not fit its key */
export function clientSocket(stream: ConnectionStream, host: string, options: TlsOptions): tls.TLSSocket {
  return tls.connect({ socket: stream, host, minVersion: minTlsVersion, ...trustFor(host, options) });
}

/** The error of a client's handshake. */
export function clientError(error: unknown, peer: Address): unknown {
  return tlsError(`cannot go on over TLS with ${peer}`, error);
}

/** Begins the handshake of a server. @throws YodelError `YODEL_TLS` when a certificate does not fit its key */
export function serverHandshake(stream: ConnectionStream, options: ServerTls): ServerHandshake {
  return new TlsAcceptor(options).begin(stream);
}

/** The error of a server's handshake. */
export function serverError(error: unknown): Error {
  if (error instanceof YodelError) return error;
  return handshakeError(error instanceof Error ? error : new Error(String(error)));
}

/** The connection of an encrypted stream. @param stream what it is over @param security of a server's */
export function encryptedConnection(
  socket: tls.TLSSocket,
  stream: ConnectionStream,
  peer: Address,
  security: Security | undefined,
): Connection {
  // Addresses of TLS, because such a stream cannot be reset.
  const address = 'port' in peer ? new TlsAddress(peer.host, peer.port) : new TlsAddress('localhost', 0);
  return new OverStream(socket, stream, address, security);
}

/**
 * A connection over an encrypted stream that is no socket, whose reads cannot be borrowed. A write is complete when the
 * connection below has sent it: Bun reports that as soon as it is encrypted, and would keep whatever a peer does not read.
 */
class OverStream extends TlsConnection {
  readonly #stream: ConnectionStream;
  #isWriting = false;

  constructor(socket: tls.TLSSocket, stream: ConnectionStream, address: TlsAddress, security: Security | undefined) {
    super(socket, address, address, security);
    this.#stream = stream;
    stream.whenSent = () => {
      if (!this.#isWriting) this.written();
    };
  }

  protected override canBorrow(): boolean {
    return false;
  }

  protected override get inSocket(): number {
    return Math.max(super.inSocket, this.#stream.unsent);
  }

  /** What waits is there twice: as it was written, and encrypted. */
  override get unsentMemory(): number {
    return super.unsentMemory + this.#stream.unsentMemory;
  }

  protected override writePiece(bytes: Uint8Array, isBorrowed: boolean): Uint8Array {
    this.#isWriting = true;
    const piece = super.writePiece(bytes, isBorrowed);
    this.#isWriting = false;
    return piece;
  }

  protected override written(error?: Error | null): void {
    if (error || this.inSocket === 0) super.written(error);
  }
}
