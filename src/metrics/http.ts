/** The HTTP endpoints for Prometheus and process managers: `/metrics`, `/healthz`, `/readyz`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { formatPeer, TcpAddress } from '../address.ts';
import { systemError } from '../errors.ts';
import type { Metrics } from './registry.ts';

/** More connections than a scraper and a process manager need. */
const maxConnections = 64;
const requestTimeoutMs = 5000;

/** The data that the endpoints report. */
export interface Health {
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>;
  /** Whether the server accepts new clients. */
  readonly isReady: () => boolean;
}

/**
 * Serves the endpoints, and resolves with the address; port 0 is replaced by the real one.
 *
 * @throws YodelError `YODEL_ADDRESS_IN_USE`, …
 */
export async function serveHealth(
  address: TcpAddress,
  health: Health,
): Promise<{ readonly address: TcpAddress; close(): void }> {
  const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs });
  server.maxConnections = maxConnections;
  server.on('request', (request, response) => void answer(request, response, health));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(address.port, address.host, () => resolve(void server.off('error', reject)));
  }).catch((error: unknown) => {
    throw systemError(`cannot listen on http://${formatPeer(address)} for metrics`, error);
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

async function answer(request: IncomingMessage, response: ServerResponse, { metrics, isReady }: Health): Promise<void> {
  const respond = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : text);
  };
  if (request.method !== 'GET' && request.method !== 'HEAD') return respond(405, 'only GET and HEAD are allowed\n');
  const [path] = (request.url ?? '').split('?');
  if (path === '/healthz') return respond(200, 'ok\n');
  if (path === '/readyz') return isReady() ? respond(200, 'ready\n') : respond(503, 'not ready\n');
  if (path === '/metrics') return respond(200, await metrics.text(), metrics.contentType);
  respond(404, 'try /metrics, /healthz or /readyz\n');
}
