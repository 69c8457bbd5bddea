/** The HTTP endpoints for Prometheus and process managers: `/metrics`, `/healthz`, `/readyz`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TcpAddress } from '../address.ts';
import { type HttpServer, listenHttp } from './http-server.ts';
import type { Metrics } from './registry.ts';

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
export async function serveHealth(address: TcpAddress, health: Health): Promise<HttpServer> {
  return await listenHttp(address, 'metrics', (request, response) => answer(request, response, health));
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
