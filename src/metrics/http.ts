/** The HTTP endpoints for Prometheus and process managers: `/metrics`, `/healthz`, `/readyz`. */
import type { TcpAddress } from '../address.ts';
import { realClock } from '../clock.ts';
import { HostNames, nameOf } from './hosts.ts';
import type { HttpRequest } from './http-request.ts';
import { type HttpResponse, type HttpServer, listenHttp } from './http-server.ts';
import type { Metrics } from './registry.ts';
import { Shared } from './shared.ts';

/** The data that the endpoints report. */
export interface Health {
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>;
  /** Whether the server accepts new clients. */
  readonly isReady: () => boolean;
  /** Names by which clients may address this server, besides loopback and the address; `*` for all. */
  readonly hosts: readonly string[];
}

/**
 * Serves the endpoints, and resolves with the address; port 0 is replaced by the real one.
 *
 * @throws YodelError `YODEL_ADDRESS_IN_USE`, …
 */
export async function serveHealth(address: TcpAddress, { metrics, isReady, hosts }: Health): Promise<HttpServer> {
  const names = new HostNames(address, hosts);
  const text = new Shared<HttpResponse>(async () => {
    return { status: 200, headers: headersOf(metrics.contentType), body: await metrics.text() };
  }, realClock);
  const answer = ({ method, path, headers }: HttpRequest): HttpResponse | Promise<HttpResponse> => {
    const host = headers.get('host');
    if (!names.allows(host)) return wrongHost(host);
    if (method !== 'GET' && method !== 'HEAD')
      return plain(405, 'only GET and HEAD are allowed', { Allow: 'GET, HEAD' });
    if (path === '/healthz') return plain(200, 'ok');
    if (path === '/readyz') return isReady() ? plain(200, 'ready') : plain(503, 'not ready');
    if (path !== '/metrics') return plain(404, 'try /metrics, /healthz or /readyz');
    return text.get();
  };
  return await listenHttp(address, {
    purpose: 'metrics',
    maxBody: 0,
    answer,
    refuse: ({ status, error, hint }) => plain(status, `${error}; ${hint}`),
  });
}

function wrongHost(host = ''): HttpResponse {
  const name = nameOf(host);
  if (name === undefined) return plain(403, 'the request names no host; send the header Host');
  return plain(403, `this server is not known as "${name}"; if it is, start it with --metrics-host ${name}`);
}

function plain(status: number, text: string, headers: Readonly<Record<string, string>> = {}): HttpResponse {
  return { status, headers: { ...headersOf('text/plain; charset=utf-8'), ...headers }, body: `${text}\n` };
}

function headersOf(type: string): Readonly<Record<string, string>> {
  return { 'Content-Type': type, 'Cache-Control': 'no-store' };
}
