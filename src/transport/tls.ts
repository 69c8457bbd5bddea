/**
 * TLS over TCP. By `node:tls` on both runtimes: what TLS itself costs is far more than the steps that Bun's own sockets
 * would spare.
 */
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { TlsAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import { longestDuration } from '../options.ts';
import { whenConnected } from './node.ts';
import type { CertificateAndKey, Connection, DialOptions, Security, ServerTls, TlsOptions } from './transport.ts';

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

/** What `node:tls` takes for these options. @throws YodelError `YODEL_TLS` when a certificate and its key cannot be used */
export function trustFor(host: string, { ca, servername, insecure, cert, key }: TlsOptions): tls.ConnectionOptions {
  // What is wrong with it should be told by its own name, and not as a failure of the connection.
  if (cert !== undefined) contextOf('', { cert, key: key ?? cert }, undefined);
  // A name to ask for, which an IP address is not (RFC 6066, section 3).
  const name = servername ?? (net.isIP(host) === 0 ? host : undefined);
  return {
    rejectUnauthorized: insecure !== true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key: key ?? cert }),
    ...(name === undefined ? {} : { servername: name }),
  };
}

/**
 * What a server takes of TLS 1.2: forward secrecy and authenticated encryption only, as Mozilla's intermediate profile (5.7),
 * without its finite-field exchanges; and all of TLS 1.3.
 */
const goodCiphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  ...['ECDSA', 'RSA'].flatMap((by) =>
    ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map((cipher) => `ECDHE-${by}-${cipher}`),
  ),
].join(':');

/** What holds for all certificates of a server. */
function contextOptions(pair: CertificateAndKey, clientCa: string | undefined): tls.SecureContextOptions {
  const { cert, key } = pair;
  return {
    cert,
    key,
    minVersion: oldestTls,
    ciphers: goodCiphers,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  };
}

/** @throws YodelError `YODEL_TLS` */
function contextOf(name: string, pair: CertificateAndKey, clientCa: string | undefined): tls.SecureContext {
  try {
    return tls.createSecureContext(contextOptions(pair, clientCa));
  } catch (error) {
    const says = error instanceof Error ? error.message : String(error);
    throw new YodelError('YODEL_TLS', `the certificate${name} cannot be used with its key: ${says}`, { cause: error });
  }
}

/** Makes encrypted sockets of accepted ones, and can show other certificates from one to the next. */
export class TlsDoor {
  readonly #server: tls.Server;
  readonly #isAsked: boolean;
  #names = new Map<string, tls.SecureContext>();
  readonly #waiting = new Map<string, (secured: tls.TLSSocket | Error) => void>();

  /** @throws YodelError `YODEL_TLS` when a certificate and its key cannot be used */
  constructor(options: ServerTls) {
    const { alpn, clientCa } = options;
    contextOf('', options, clientCa);
    this.#isAsked = clientCa !== undefined;
    this.#server = tls.createServer({
      allowHalfOpen: true,
      ...contextOptions(options, clientCa),
      // What stands before the first message has one time for all of it, and that is kept elsewhere.
      handshakeTimeout: longestDuration,
      requestCert: this.#isAsked,
      rejectUnauthorized: this.#isAsked,
      ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
      SNICallback: (name, done) => done(null, this.#contextFor(name)),
    });
    this.#server.on('secureConnection', (socket) => this.#settle(socket, socket));
    this.#server.on('tlsClientError', (error, socket) => this.#settle(socket, error));
    this.renew(options);
  }

  /** @throws YodelError `YODEL_TLS`; then the old certificates stay */
  renew({ cert, key, clientCa, sni = {} }: ServerTls): void {
    contextOf('', { cert, key }, clientCa);
    const names = Object.entries(sni).map(
      ([name, pair]) => [name.toLowerCase(), contextOf(` for ${name}`, pair, clientCa)] as const,
    );
    this.#server.setSecureContext(contextOptions({ cert, key }, clientCa));
    this.#names = new Map(names);
  }

  /**
   * Resolves when the handshake with a client is done.
   *
   * @throws YodelError `YODEL_TLS`
   */
  async secure(socket: net.Socket): Promise<tls.TLSSocket> {
    const key = keyOf(socket);
    const secured = await new Promise<tls.TLSSocket | Error>((resolve) => {
      this.#waiting.set(key, resolve);
      // Node ends a client with a bad certificate without a word.
      const why = this.#isAsked ? `${untrustedClient}, or it broke off` : 'it broke off';
      socket.once('close', () => resolve(new Error(why)));
      this.#server.emit('connection', socket);
    }).finally(() => this.#waiting.delete(key));
    if (secured instanceof Error) throw new YodelError('YODEL_TLS', whyNoHandshake(secured), { cause: secured });
    return secured;
  }

  #settle(socket: tls.TLSSocket, outcome: tls.TLSSocket | Error): void {
    this.#waiting.get(keyOf(socket))?.(outcome);
  }

  /** None: the main certificate, of which the server knows itself. */
  #contextFor(name: string): tls.SecureContext | undefined {
    const asked = name.toLowerCase();
    return this.#names.get(asked) ?? this.#names.get(asked.replace(/^[^.]+/, '*'));
  }
}

/** One text for all that OpenSSL says of a certificate that no authority vouches for. */
function forUntrusted(text: string): Record<string, string> {
  return {
    DEPTH_ZERO_SELF_SIGNED_CERT: text,
    SELF_SIGNED_CERT_IN_CHAIN: text,
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: text,
    UNABLE_TO_GET_ISSUER_CERT: text,
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: text,
  };
}

/** What the two sides agreed on. */
export function securityOf(socket: tls.TLSSocket): Security {
  const { subject } = (socket.authorized ? socket.getPeerCertificate() : undefined) ?? {};
  const { servername } = socket as { servername?: string | false };
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    servername: servername || undefined,
    alpn: socket.alpnProtocol || undefined,
    subject: subject && distinguishedName(subject as unknown as Record<string, string | string[]>),
  };
}

/** `CN=ada,O=Example`, as RFC 4514 escapes it, the most specific part first. */
function distinguishedName(subject: Readonly<Record<string, string | string[]>>): string {
  const escaped = (value: string) => value.replace(/[\\,+"<>;=]|^[ #]| $/g, '\\$&');
  return Object.entries(subject)
    .reverse()
    .flatMap(([name, values]) => [values].flat().map((value) => `${name}=${escaped(value)}`))
    .join(',');
}

/** An encrypted socket has the ends of the one below it. */
function keyOf({ remoteAddress, remotePort }: net.Socket): string {
  return `${remoteAddress}|${remotePort}`;
}

/** What a server says of a client with which it could not agree. */
function whyNoHandshake(error: Error): string {
  const { code = '' } = error as { code?: string };
  const says = handshakeErrors[code] ?? tlsErrors[code] ?? error.message;
  return `no TLS with this client: ${says}`;
}

const untrustedClient = 'its certificate comes from nobody that is trusted';

/** What differs in what a server says of its client from {@link tlsErrors}. */
const handshakeErrors: Readonly<Record<string, string>> = {
  ...forUntrusted(untrustedClient),
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'it showed no certificate',
  ERR_SSL_HTTP_REQUEST: 'it speaks HTTP without TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'it offers none of the protocols (ALPN)',
  ERR_SSL_NO_SHARED_CIPHER: 'it offers no cipher that is good enough',
  ECONNRESET: 'it broke off',
};

const untrusted =
  'its certificate comes from nobody that this machine trusts: name the authority with --cacert (tls.ca), or take any certificate with --insecure';
const tooOld = 'it speaks no version of TLS from 1.2 on';
const noTls = 'what answers there does not speak TLS';

/** How OpenSSL's and BoringSSL's codes read in yodel. */
const tlsErrors: Readonly<Record<string, string>> = {
  ...forUntrusted(untrusted),
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
