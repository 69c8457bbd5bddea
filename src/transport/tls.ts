/** Connects over TLS. Uses `node:tls` on both runtimes. `tls/bun-listener.ts` and `handshakes.ts` listen. */
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { TlsAddress } from '../address.ts';
import { keepAliveDelay } from './keep-alive.ts';
import { whenConnected } from './node.ts';
import { createContext, minTlsVersion } from './tls/context.ts';
import { tlsError } from './tls/errors.ts';
import { tlsHandshakeOf } from './tls/handshake.ts';
import { tlsConnectionOf } from './tls/node-connection.ts';
import type { Connection, DialOptions, TlsOptions } from './transport.ts';

/**
 * Resolves when the handshake is complete and the server's certificate is trusted.
 *
 * @throws YodelError `YODEL_TLS` when it is not trusted, or the server does not speak TLS; others as {@link Transport.connect}
 */
export async function connectTls(
  address: TlsAddress,
  { signal, keepAlive, tls: trust = {} }: DialOptions,
): Promise<Connection> {
  signal?.throwIfAborted();
  const { host, port } = address;
  // Node documents `allowHalfOpen` here; its types lack it.
  const options: tls.ConnectionOptions & { allowHalfOpen: boolean } = { host, port, allowHalfOpen: true };
  const socket = tls.connect({ ...options, minVersion: minTlsVersion, ...trustFor(host, trust) });
  socket.setNoDelay(true);
  const delay = keepAliveDelay(address, keepAlive);
  socket.setKeepAlive(delay > 0, delay);
  try {
    const connectionFor = () => {
      const connection = tlsConnectionOf(socket, address);
      connection.judgesClient = requestsCertificate(socket, trust);
      return connection;
    };
    return await whenConnected(socket, 'secureConnect', address, signal, connectionFor, tlsHandshakeOf);
  } catch (error) {
    throw tlsError(`cannot connect to ${address}`, error);
  }
}

/**
 * Whether the server has requested a certificate, which comes with the signature algorithms that it accepts. Bun does not tell:
 * a client that has a certificate assumes so.
 */
function requestsCertificate(socket: tls.TLSSocket, { cert }: TlsOptions): boolean {
  return socket.getSharedSigalgs().length > 0 || cert !== undefined;
}

/** Converts the options to those of `node:tls`. @throws YodelError `YODEL_TLS` when the certificate does not fit its key */
export function trustFor(host: string, { ca, servername, insecure, cert, key }: TlsOptions): tls.ConnectionOptions {
  // Checked here, so that a bad certificate is not reported as a failed connection.
  if (cert !== undefined) createContext('', { cert, key: key ?? cert }, undefined);
  // SNI takes names only, not IP addresses (RFC 6066, section 3).
  const name = servername ?? (net.isIP(host) === 0 ? host : undefined);
  return {
    rejectUnauthorized: insecure !== true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key: key ?? cert }),
    ...(name === undefined ? {} : { servername: name }),
  };
}
