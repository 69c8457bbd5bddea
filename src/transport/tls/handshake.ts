/** What a client's TLS socket says of its handshake, on both runtimes. */
import type { TLSSocket } from 'node:tls';
import type { TlsHandshake } from '../transport.ts';
import { certificateOf } from './certificate.ts';

/** Reads the facts from a socket that is open. @param tookMs how long the handshake took */
export function tlsHandshakeOf(socket: TLSSocket, tookMs: number): TlsHandshake {
  const { servername } = socket as { servername?: string | false };
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher()?.standardName ?? 'unknown',
    servername: servername || undefined,
    alpn: socket.alpnProtocol || undefined,
    untrusted: socket.authorized ? undefined : reasonOf(socket.authorizationError),
    certificate: certificateOf(socket.getPeerCertificate()),
    tookMs,
  };
}

/** Both runtimes give a code; the types say an error. */
function reasonOf(error: unknown): string {
  return error instanceof Error
    ? ((error as { code?: string }).code ?? error.message)
    : String(error ?? 'not verified');
}
