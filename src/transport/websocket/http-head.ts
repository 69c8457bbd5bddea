/**
 * The head of an HTTP/1.1 message: its first line and its headers (RFC 9112). Strict, because servers and proxies that read a
 * request differently can be played off against each other: lines end with CRLF, and no header continues on the next line.
 */

/** A parsed head. */
export interface HttpHead {
  /** `GET /chat HTTP/1.1`, or `HTTP/1.1 101 Switching Protocols`. */
  readonly firstLine: string;
  /** By lower-case name. Values are Latin-1; those of repeated headers are joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  /** Names of headers that occur more than once. */
  readonly repeated: ReadonlySet<string>;
  /** Each header as it was sent, in order. */
  readonly fields: readonly HeaderField[];
}

/** A header: its name in lower case, and its value. */
export type HeaderField = readonly [name: string, value: string];

/** The longest head, in bytes. As Node's default; a site's cookies fit. */
export const maxHeadSize = 16_384;

const lineFeed = 0x0a;
/** A name in HTTP, such as that of a header. */
export const token = /^[!#$%&'*+.^_`|~\w-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a value must not contain
const notAllowed = /[\0-\x08\x0a-\x1f\x7f]/;

/** Where the head ends; -1 if its end has not arrived, and undefined if a line ends without a CR. @param seen bytes searched before */
export function endOfHead(bytes: Buffer, seen: number): number | undefined {
  for (let at = bytes.indexOf(lineFeed, seen); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) {
    if (bytes[at - 1] !== 0x0d) return undefined;
    if (bytes[at - 2] === lineFeed) return at + 1;
  }
  return -1;
}

/** Parses a head, without the empty line at its end. Undefined: it is not valid. */
export function parseHead(text: string): HttpHead | undefined {
  const [firstLine = '', ...lines] = text.split('\r\n');
  return headOf(firstLine, lines.map(split));
}

function split(line: string): HeaderField {
  const colon = line.indexOf(':');
  return [line.slice(0, Math.max(0, colon)), line.slice(colon + 1)];
}

/** The head with these headers, whose names may be in any case. Undefined: it is not valid. */
export function headOf(firstLine: string, given: Iterable<HeaderField>): HttpHead | undefined {
  if (notAllowed.test(firstLine)) return undefined;
  const fields: HeaderField[] = [];
  const headers = new Map<string, string>();
  const repeated = new Set<string>();
  for (const [written, padded] of given) {
    const name = written.toLowerCase();
    const value = padded.replace(/^[ \t]+|[ \t]+$/g, '');
    if (!token.test(name) || !isHeaderValue(value)) return undefined;
    fields.push([name, value]);
    const before = headers.get(name);
    if (before !== undefined) repeated.add(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { firstLine, headers, repeated, fields };
}

/** Whether a text can be the value of a header: it has no control characters. */
export function isHeaderValue(text: string): boolean {
  return !notAllowed.test(text);
}

/** Whether a header is a list that contains `item`, in any case. */
export function lists(head: HttpHead, name: string, item: string): boolean {
  const items = (head.headers.get(name) ?? '').split(',');
  return items.some((one) => one.trim().toLowerCase() === item);
}
