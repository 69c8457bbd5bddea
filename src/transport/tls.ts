/**
 * TLS over TCP, only to connect. By `node:tls` on both runtimes: what TLS itself costs is far more than the steps that
 * `Bun.connect` would spare.
 */
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { TlsAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import { whenConnected } from './node.ts';
import type { Connection, DialOptions, TlsOptions } from './transport.ts';

/** Older versions are broken, and RFC 8996 forbids them. */
export const oldestTls = 'TLSv1.2';

/**
 * Resolves when the handshake is done and the server's certificate is found good.
 *
 * @throws YodelError `YODEL_TLS` when it is not, or the server speaks no TLS; others as {@link Transport.connect}
 */
export async function connectTls(address: TlsAddress, { signal, tls: trust = {} }: DialOptions): Promise<Connection> {
  signal?.throwIfAborted();
  const { host, port } = address;
  // Node's documentation has `allowHalfOpen` here, its types do not.
  const options: tls.ConnectionOptions & { allowHalfOpen: boolean } = { host, port, allowHalfOpen: true };
  const socket = tls.connect({ ...options, minVersion: oldestTls, ...trustFor(host, trust) });
  socket.setNoDelay(true);
  try {
    return await whenConnected(socket, 'secureConnect', address, signal);
  } catch (error) {
    throw whyNotTrusted(`cannot connect to ${address}`, error);
  }
}

/** What `node:tls` takes for these options. */
export function trustFor(host: string, { ca, servername, insecure }: TlsOptions): tls.ConnectionOptions {
  // A name to ask for, which an IP address is not (RFC 6066, section 3).
  const name = servername ?? (net.isIP(host) === 0 ? host : undefined);
  return {
    rejectUnauthorized: insecure !== true,
    ...(ca === undefined ? {} : { ca }),
    ...(name === undefined ? {} : { servername: name }),
  };
}

const untrusted =
  'its certificate comes from nobody that this machine trusts: name the authority with --cacert (tls.ca), or take any certificate with --insecure';
const tooOld = 'it speaks no version of TLS from 1.2 on';
const noTls = 'what answers there does not speak TLS';

/** How OpenSSL's and BoringSSL's codes read in yodel. */
const tlsErrors: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name: say which one is right with --servername',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: tooOld,
  ERR_SSL_UNSUPPORTED_PROTOCOL: tooOld,
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  ERR_SSL_UNEXPECTED_MESSAGE: noTls,
  EPROTO: noTls,
};

/** The true reason where it lies in TLS; else the error as it is. */
export function whyNotTrusted(where: string, error: unknown): unknown {
  const cause = error instanceof YodelError ? error.cause : error;
  const { code } = (cause ?? {}) as { code?: unknown };
  const says = typeof code === 'string' ? tlsErrors[code] : undefined;
  return says === undefined ? error : new YodelError('YODEL_TLS', `${where}: ${says}`, { cause });
}
