/** What a process manager and Prometheus ask by HTTP: `/metrics`, `/healthz`, `/readyz`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { formatPeer, TcpAddress } from '../address.ts';
import { systemError } from '../errors.ts';
import type { Metrics } from './registry.ts';

/** Nobody else has business here. */
const mostConnections = 64;
const longestRequestMs = 5000;

/** What it answers with. */
export interface Health {
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>;
  /** Whether new clients should be sent here. */
  readonly isReady: () => boolean;
}

/**
 * Listens, and gives the address that was taken.
 *
 * @throws YodelError `YODEL_ADDRESS_IN_USE`, …
 */
export async function serveHealth(
  address: TcpAddress,
  health: Health,
): Promise<{ readonly address: TcpAddress; close(): void }> {
  const server = createServer({ requestTimeout: longestRequestMs, headersTimeout: longestRequestMs });
  server.maxConnections = mostConnections;
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
  const say = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : text);
  };
  if (request.method !== 'GET' && request.method !== 'HEAD') return say(405, 'only GET\n');
  const [path] = (request.url ?? '').split('?');
  if (path === '/healthz') return say(200, 'ok\n');
  if (path === '/readyz') return isReady() ? say(200, 'ready\n') : say(503, 'not ready\n');
  if (path === '/metrics') return say(200, await metrics.text(), metrics.contentType);
  say(404, 'there are /metrics, /healthz and /readyz\n');
}
