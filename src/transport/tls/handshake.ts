/** What a client's TLS socket says of its handshake, on both runtimes. */
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { Certificate, TlsHandshake } from '../transport.ts';
import { distinguishedName } from './names.ts';

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

/** A server without a certificate has an empty one. */
function certificateOf(certificate: PeerCertificate | undefined): Certificate | undefined {
  if (!certificate?.subject) return undefined;
  return {
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    names: namesIn(certificate.subjectaltname),
    validFrom: new Date(certificate.valid_from),
    validTo: new Date(certificate.valid_to),
    fingerprint: certificate.fingerprint256,
  };
}

/** `DNS:localhost, IP Address:127.0.0.1` without the kinds. OpenSSL quotes a name that contains a comma. */
function namesIn(alternatives = ''): string[] {
  const names = alternatives.match(/(?:"(?:\\.|[^"\\])*"|[^,"])+/g) ?? [];
  return names.map((name) => name.trim().replace(/^(?:DNS|IP Address):/, ''));
}
