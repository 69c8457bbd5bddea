/** A small HTTP server for operators: few connections, short requests, no keep-alive beyond its close. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { formatPeer, TcpAddress } from '../address.ts';
import { systemError } from '../errors.ts';

/** More connections than operators and their programs need. */
const maxConnections = 64;
const requestTimeoutMs = 5000;

/** A server that listens. */
export interface HttpServer {
  /** Its address; port 0 is replaced by the real one. */
  readonly address: TcpAddress;
  close(): void;
}

/**
 * Listens, and answers each request.
 *
 * @param purpose for the error: `metrics`
 * @param answer must not throw
 * @throws YodelError `YODEL_ADDRESS_IN_USE`, …
 */
export async function listenHttp(
  address: TcpAddress,
  purpose: string,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<HttpServer> {
  const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs });
  server.maxConnections = maxConnections;
  server.on('request', (request, response) => void answer(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(address.port, address.host, () => resolve(void server.off('error', reject)));
  }).catch((error: unknown) => {
    throw systemError(`cannot listen on http://${formatPeer(address)} for ${purpose}`, error);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: new TcpAddress(address.host, port),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
