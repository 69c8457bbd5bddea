/** A request of HTTP/1.1, or what is wrong with it. */
import { type HttpHead, parseHead } from '../transport/websocket/http-head.ts';

/** A request with its whole body. */
export interface HttpRequest {
  readonly method: string;
  /** Without a query: `/metrics`. */
  readonly path: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Why a request is refused. */
export interface HttpRefusal {
  readonly status: number;
  readonly error: string;
  /** What to do about it. */
  readonly hint: string;
}

/** A valid head, before its body has arrived. */
export interface RequestHead extends Omit<HttpRequest, 'body'> {
  /** The length of the body in bytes. */
  readonly bodyLength: number;
  /** Whether the client waits for a permission to send the body. */
  readonly awaitsContinue: boolean;
}

const requestLine = /^([A-Z]+) (\/\S*|\*) HTTP\/1\.([01])$/;
/** Headers that must not occur twice: each program might read another one. */
const single = ['host', 'content-length', 'transfer-encoding', 'authorization'];

/**
 * Parses a head.
 *
 * @param text without the empty line at its end
 * @param maxBody the longest body, in bytes
 */
export function parseRequestHead(text: string, maxBody: number): RequestHead | HttpRefusal {
  const head = parseHead(text);
  const [, method, target = '', minor] = requestLine.exec(head?.firstLine ?? '') ?? [];
  if (!head || method === undefined) return invalid('this is not a request of HTTP/1.1');
  const twice = single.find((name) => head.repeated.has(name));
  if (twice !== undefined) return invalid(`two headers "${twice}"`);
  const { headers } = head;
  if (minor === '1' && !headers.has('host')) {
    return { status: 400, error: 'the request names no host', hint: 'send the header Host' };
  }
  const bodyLength = bodyLengthOf(head, maxBody);
  if (typeof bodyLength !== 'number') return bodyLength;
  const [path = '/'] = target.split('?');
  const awaitsContinue = headers.get('expect')?.toLowerCase() === '100-continue';
  return { method, path, headers, bodyLength, awaitsContinue };
}

function bodyLengthOf({ headers }: HttpHead, maxBody: number): number | HttpRefusal {
  if (headers.has('transfer-encoding')) {
    return { status: 411, error: 'a body without a length', hint: 'send "content-length"' };
  }
  const length = headers.get('content-length') ?? '0';
  if (!/^\d{1,15}$/.test(length)) return invalid('the header "content-length" is not a number');
  if (Number(length) <= maxBody) return Number(length);
  if (maxBody === 0) return { status: 413, error: 'a request must not have a body', hint: 'send none' };
  return { status: 413, error: `the body is longer than ${maxBody} bytes`, hint: 'send less' };
}

function invalid(error: string): HttpRefusal {
  return { status: 400, error, hint: 'see RFC 9112' };
}
