/** Why there is no connection to a broker, in words that say what to do. What client libraries say often does not. */
import { type BrokerAddress, connectMs } from './address.ts';

/** An error of a client library, or of the runtime. */
type Failure = Error & { readonly code?: string };

/** Certificates that lead to no authority that is trusted. */
const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const names = { nats: 'NATS', redis: 'Redis' } as const;

/** @param isNew whether the connection was being established */
export function reasonOf(error: Failure, address: BrokerAddress, isNew: boolean): string {
  return ofCertificate(error) ?? ofAccess(error) ?? (isNew ? ofAnswer(error, address) : undefined) ?? error.message;
}

function ofCertificate({ code = '', message }: Failure): string | undefined {
  if (untrusted.has(code))
    return `its certificate is not from a trusted authority (${code}): give the authority's certificate with --bus-ca, or the option "ca"`;
  if (code === 'CERT_HAS_EXPIRED') return 'its certificate has expired';
  if (code === 'CERT_NOT_YET_VALID') return 'its certificate is not valid yet';
  if (code !== 'ERR_TLS_CERT_ALTNAME_INVALID') return undefined;
  return `its certificate is for another host: ${message.replace(/^Hostname\/IP does not match certificate's altnames: /, '')}`;
}

const where = 'in the address of the bus, or its credentials';

function ofAccess({ message }: Failure): string | undefined {
  if (message.startsWith('WRONGPASS')) return `WRONGPASS: it does not know this user and password; see those ${where}`;
  if (message.startsWith('NOAUTH')) return `NOAUTH: it wants a password, ${where}`;
  if (/^(authorization violation|user authentication)/i.test(message))
    return `${message}: it does not accept this user and password, or token; see those ${where}`;
  if (/parse credentials/.test(message))
    return 'its credentials cannot be read: they are a JWT and a seed, as NATS tools write them';
  return undefined;
}

function ofAnswer({ code, message }: Failure, { kind, tls }: BrokerAddress): string | undefined {
  const [plain, secure] = kind === 'nats' ? ['nats://', 'tls://'] : ['redis://', 'rediss://'];
  const otherScheme = tls
    ? `if it has no TLS, the address begins with ${plain}`
    : `if it has TLS, the address begins with ${secure}`;
  if (message === "server does not support 'tls'") return `it has no TLS; then the address begins with ${plain}`;
  if (code === 'ETIMEDOUT' || /^(timeout|connect ETIMEDOUT)$/.test(message))
    return `it has not responded for ${connectMs / 1000} s${tls ? `; ${otherScheme}` : ''}`;
  if (code === 'ECONNRESET' || message === closedAtOnce) return `${closedAtOnce}; ${otherScheme}`;
  if (/^Unknown RESP type|^unexpected response/.test(message)) return `it does not answer like ${names[kind]}`;
  if (code?.startsWith('ERR_SSL')) return `the TLS handshake failed (${code}); ${otherScheme}`;
  return undefined;
}

/** Why a connection is lost of which nothing else is known. */
export const closedAtOnce = 'it closed the connection';
