/** Explanations of OpenSSL's and BoringSSL's error codes. */
import { YodelError } from '../../errors.ts';

/** One text for every code about a certificate that no trusted authority signed. */
function forUntrusted(text: string): Record<string, string> {
  return {
    DEPTH_ZERO_SELF_SIGNED_CERT: text,
    SELF_SIGNED_CERT_IN_CHAIN: text,
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: text,
    UNABLE_TO_GET_ISSUER_CERT: text,
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: text,
  };
}

const untrustedServer =
  'its certificate is not signed by a trusted authority: name the authority with --cacert (tls.ca), or accept any certificate with --insecure';
const tooOld = 'it does not support TLS 1.2 or newer';
const notTls = 'the server does not speak TLS';

const connectErrors: Readonly<Record<string, string>> = {
  ...forUntrusted(untrustedServer),
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name: set the right one with --servername',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: tooOld,
  ERR_SSL_UNSUPPORTED_PROTOCOL: tooOld,
  ERR_SSL_WRONG_VERSION_NUMBER: notTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: notTls,
  ERR_SSL_UNEXPECTED_MESSAGE: notTls,
  EPROTO: notTls,
};

/** The reason why a client's certificate is refused. */
export const untrustedClient = 'its certificate is not signed by a trusted authority';

/** Where a server's view of its client differs from {@link connectErrors}. */
const handshakeErrors: Readonly<Record<string, string>> = {
  ...forUntrusted(untrustedClient),
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'it sent no certificate',
  ERR_SSL_HTTP_REQUEST: 'it speaks HTTP without TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'it offers none of the configured protocols (ALPN)',
  ERR_SSL_NO_SHARED_CIPHER: 'it offers no cipher that is strong enough',
  ECONNRESET: 'it disconnected',
};

/** Converts a TLS error while connecting to a YodelError that explains it. Returns any other error unchanged. */
export function tlsError(where: string, error: unknown): unknown {
  const cause = error instanceof YodelError ? error.cause : error;
  const { code } = (cause ?? {}) as { code?: unknown };
  const reason = typeof code === 'string' ? connectErrors[code] : undefined;
  return reason === undefined ? error : new YodelError('YODEL_TLS', `${where}: ${reason}`, { cause });
}

/** The error of a server whose handshake with a client failed. */
export function handshakeError(error: Error): YodelError {
  const code = codeOf(error);
  const reason = handshakeErrors[code] ?? connectErrors[code] ?? error.message;
  return new YodelError('YODEL_TLS', `the TLS handshake with the client failed: ${reason}`, { cause: error });
}

/** Bun's own sockets name BoringSSL's reason only in the text: `…:OPENSSL_internal:NO_SHARED_CIPHER`. */
function codeOf(error: Error): string {
  const [, reason] = /:OPENSSL_internal:(\w+)/.exec(error.message) ?? [];
  return reason === undefined ? ((error as { code?: string }).code ?? '') : `ERR_SSL_${reason}`;
}
