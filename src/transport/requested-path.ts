/** Which requests for a WebSocket are for a server: by their path. */
import type { IncomingMessage } from 'node:http';

/** Whether a server at this path serves the target. One without a path serves all, and one without a query serves every query. */
export function serves(own: string, target: string): boolean {
  if (own === '/') return true;
  const requested = encodedPath(target);
  return (own.includes('?') ? requested : requested.split('?')[0]) === encodedPath(own);
}

/** Path and query as they are requested: in ASCII, with `%C3%A9` for "é". */
export function encodedPath(path: string): string {
  const encoded = encodeURI(path.toWellFormed()).replaceAll('%25', '%');
  return encoded.replace(/%[\da-f]{2}/g, (byte) => byte.toUpperCase());
}

/** Path and query as text: a request has them in Latin-1, and its bytes are usually those of UTF-8. */
export function asText(target: string): string {
  return Buffer.from(target, 'latin1').toString();
}

/** Whether a request that an HTTP server has read asks for a WebSocket that a server at this path serves. */
export function isRequestTo(own: string, { headers, url = '' }: Pick<IncomingMessage, 'headers' | 'url'>): boolean {
  const asked = (headers.upgrade ?? '').split(',').map((one) => one.trim().toLowerCase());
  return asked.includes('websocket') && serves(own, asText(url.replace(/^(?:http|ws)s?:\/\/[^\s/?#]+/i, '')));
}
