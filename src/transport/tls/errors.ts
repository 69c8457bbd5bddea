/** Explanations of OpenSSL's and BoringSSL's error codes. */
import type { Address } from '../../address.ts';
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
/** The reason why a client without one is refused. */
export const noClientCertificate = 'it sent no certificate';

/** Where a server's view of its client differs from {@link connectErrors}. */
const handshakeErrors: Readonly<Record<string, string>> = {
  ...forUntrusted(untrustedClient),
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: noClientCertificate,
  ERR_SSL_HTTP_REQUEST: 'it speaks HTTP without TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'it offers none of the configured protocols (ALPN)',
  ERR_SSL_NO_SHARED_CIPHER: 'it offers no cipher that is strong enough',
  ECONNRESET: 'it disconnected',
};

const presentOne = 'present one with --cert and --key (tls.cert, tls.key)';
const notAccepted = "the server does not accept this client's certificate (--cert)";

/**
 * What a server's alert (RFC 8446, section 6.2) means for its client. With TLS 1.3 those about the client's certificate arrive
 * after the client's handshake is complete.
 */
const alertMeanings: Readonly<Record<string, string>> = {
  CERTIFICATE_REQUIRED: `the server requires a client certificate: ${presentOne}`,
  // How TLS 1.2 refuses a client without a certificate, among others.
  HANDSHAKE_FAILURE: `the server supports no cipher that this client offers, or requires a client certificate: ${presentOne}`,
  UNKNOWN_CA: "the server does not trust the authority that signed this client's certificate (--cert)",
  CERTIFICATE_EXPIRED: "this client's certificate (--cert) has expired",
  BAD_CERTIFICATE: notAccepted,
  UNSUPPORTED_CERTIFICATE: notAccepted,
  CERTIFICATE_REVOKED: notAccepted,
  CERTIFICATE_UNKNOWN: notAccepted,
  ACCESS_DENIED: notAccepted,
  UNRECOGNIZED_NAME: 'the server does not have this name: set another one with --servername',
  NO_APPLICATION_PROTOCOL: 'the server supports none that this client offers (ALPN)',
};

/** Converts a TLS error while connecting to a YodelError that explains it. Returns any other error unchanged. */
export function tlsError(where: string, error: unknown): unknown {
  const cause = error instanceof YodelError ? error.cause : error;
  const { code } = (cause ?? {}) as { code?: unknown };
  if (typeof code !== 'string') return error;
  const reason = connectErrors[code] ?? alertFromServer(code);
  return reason === undefined ? error : new YodelError('YODEL_TLS', `${where}: ${reason}`, { cause });
}

/** The error of a server whose handshake with a client failed. */
export function handshakeError(error: Error): YodelError {
  const code = codeOf(error);
  const reason = handshakeErrors[code] ?? connectErrors[code] ?? alertFrom('it', code) ?? error.message;
  return new YodelError('YODEL_TLS', `the TLS handshake with the client failed: ${reason}`, { cause: error });
}

/** The error of a server whose client left during its handshake. */
export function disconnected(): YodelError {
  return handshakeError(new Error('it disconnected'));
}

/**
 * The error that broke an encrypted connection. Those of other layers are returned as they are.
 *
 * @param server the server at the other end; undefined: this is the server
 */
export function brokenTls(error: Error, server: Address | undefined): Error {
  const code = codeOf(error);
  if (!isTlsCode.test(code)) return error;
  const alert = server ? alertFromServer(code) : alertFrom('the peer', code);
  const where = server ? `the connection to ${server} broke` : 'connection broken';
  const reason = alert ?? `the peer violated TLS: ${violations[code] ?? nameOf(code)}`;
  return new YodelError('YODEL_TLS', `${where}: ${reason}`, { cause: error });
}

/**
 * The error of a client whose connection was reset right after the handshake by a server that judges its clients by their
 * certificates, as yodel's own do ({@link isWithoutAlert}).
 */
export function clientRefused(server: Address, error: Error): Error {
  const reason = `the server reset it after the handshake; it probably does not accept this client's certificate (--cert)`;
  return new YodelError('YODEL_TLS', `the connection to ${server} broke: ${reason}`, { cause: error });
}

/** Whether the client of a failed handshake has received no alert: neither runtime sends one about a certificate. */
export function isWithoutAlert({ code, cause }: YodelError): boolean {
  return code === 'YODEL_TLS' && !(cause instanceof Error && isTlsError(cause));
}

/** Whether an error that Bun reports for one of its own sockets is about TLS, and not thrown by a callback. */
export function isTlsError(error: Error): boolean {
  return isTlsCode.test(codeOf(error));
}

const isTlsCode = /^ERR_(?:SSL|TLS|OSSL)_/;

const violations: Readonly<Record<string, string>> = {
  ERR_TLS_RENEGOTIATION_DISABLED: 'it began a renegotiation',
  ERR_SSL_NO_RENEGOTIATION: 'it began a renegotiation',
};

function alertFromServer(code: string): string | undefined {
  const text = alertFrom('the server', code);
  const meaning = alertMeanings[alertOf(code) ?? ''];
  return text && meaning ? `${text}: ${meaning}` : text;
}

function alertFrom(whom: string, code: string): string | undefined {
  const alert = alertOf(code);
  return alert && `${whom} sent the TLS alert "${alert.toLowerCase().replaceAll('_', ' ')}"`;
}

/** The alert in `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA`. What precedes it differs among OpenSSL's versions and BoringSSL. */
function alertOf(code: string): string | undefined {
  return /^ERR_SSL_.*(?:ALERT|TLSV1|TLSV1_1|TLSV13)_(\w+)$/.exec(code)?.[1];
}

/** `bad record type`, of `ERR_SSL_BAD_RECORD_TYPE`. */
function nameOf(code: string): string {
  return code.replace(isTlsCode, '').toLowerCase().replaceAll('_', ' ');
}

/** Bun's own sockets name BoringSSL's reason only in the text: `…:OPENSSL_internal:NO_SHARED_CIPHER`. */
function codeOf(error: Error): string {
  const [, reason] = /:OPENSSL_internal:(\w+)/.exec(error.message) ?? [];
  return reason === undefined ? ((error as { code?: string }).code ?? '') : `ERR_SSL_${reason}`;
}
