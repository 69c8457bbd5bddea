/** Protocol versions, ciphers and certificates. */
import * as tls from 'node:tls';
import { YodelError } from '../../errors.ts';
import type { CertificateAndKey } from '../transport.ts';

/** RFC 8996 forbids older versions. */
export const minTlsVersion = 'TLSv1.2';

/**
 * The ciphers that a server accepts. Of TLS 1.2 only those with forward secrecy and authenticated encryption, as in
 * Mozilla's intermediate profile (5.7), without its finite-field key exchanges. Of TLS 1.3, all.
 */
const serverCiphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  ...['ECDSA', 'RSA'].flatMap((key) =>
    ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map((cipher) => `ECDHE-${key}-${cipher}`),
  ),
].join(':');

/** The options of a server's TLS context with this certificate. */
export function contextOptions(pair: CertificateAndKey, clientCa: string | undefined): tls.SecureContextOptions {
  return {
    cert: pair.cert,
    key: pair.key,
    minVersion: minTlsVersion,
    ciphers: serverCiphers,
    honorCipherOrder: true,
    // Without a name for them, OpenSSL resumes no sessions of clients with a certificate, and fails their handshakes.
    sessionIdContext: 'yodel',
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  };
}

/**
 * @param name added to the error message: ` for NAME`, or empty for the main certificate
 * @throws YodelError `YODEL_TLS` when the certificate does not fit its key
 */
export function createContext(name: string, pair: CertificateAndKey, clientCa: string | undefined): tls.SecureContext {
  try {
    return tls.createSecureContext(contextOptions(pair, clientCa));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new YodelError('YODEL_TLS', `the certificate${name} cannot be used with its key: ${reason}`, {
      cause: error,
    });
  }
}
