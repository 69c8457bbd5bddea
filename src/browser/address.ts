/** The address of the server, from the text that a page gives. */
import { WebSocketAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import { kindOf } from '../option-shapes.ts';
import type { Environment } from './environment.ts';

const webSocketSchemes: Readonly<Record<string, 'ws' | 'wss'>> = {
  'ws:': 'ws',
  'wss:': 'wss',
  // The schemes of a page, for addresses that are relative to it.
  'http:': 'ws',
  'https:': 'wss',
};

/**
 * Resolves an address against the page's: `/chat` on `https://example.org/app` is `wss://example.org/chat`. Where there is no
 * page, as on Node, the address must be complete.
 *
 * @param address text, or an object with `href`, such as a URL
 * @throws YodelError `YODEL_INVALID_ADDRESS`
 */
export function resolveAddress(address: unknown, { location }: Environment): WebSocketAddress {
  const page = location?.href;
  const text = (address as { href?: unknown } | null | undefined)?.href ?? address;
  const url = typeof text === 'string' && text !== '' ? parse(text, page) : undefined;
  const scheme = url && webSocketSchemes[url.protocol];
  if (!scheme || url.hostname === '') {
    const form = 'ws://HOST:PORT/PATH or wss://HOST:PORT/PATH';
    const allowed = page === undefined ? form : `${form}, or relative to the page, such as /chat`;
    throw new YodelError('YODEL_INVALID_ADDRESS', `invalid address ${kindOf(text)}: a WebSocket has ${allowed}`);
  }
  const port = url.port === '' ? (scheme === 'wss' ? 443 : 80) : Number(url.port);
  return new WebSocketAddress(scheme, url.hostname.replace(/^\[(.*)\]$/, '$1'), port, url.pathname + url.search);
}

function parse(text: string, page: string | undefined): URL | undefined {
  try {
    return new URL(text, page);
  } catch (error) {
    // The only error of the constructor: it is no URL.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
