/** The request that opened a WebSocket, in as little memory as possible: there may be one for each idle connection. */
import { asText } from '../requested-path.ts';
import type { ReceivedUpgrade } from '../transport.ts';
import type { HeaderField, HttpHead } from './http-head.ts';
import type { RequestHeaders } from './request.ts';

/** Requests of up to this many bytes are not counted: browsers send 400 to 700 besides their cookies. */
const usualSize = 1024;

/** See {@link ReceivedUpgrade}. Everything is read from one text when it is asked for. */
export class ReceivedRequest implements ReceivedUpgrade, RequestHeaders {
  readonly #isSecure: boolean;
  /** The target and the headers, a line for each. */
  readonly #text: string;
  protocol: string | undefined;
  data: unknown;

  /** @param target path and query, in Latin-1 */
  constructor(head: HttpHead, target: string, isSecure: boolean) {
    this.#isSecure = isSecure;
    // Joined and not cut out of the head, which these texts would keep in memory.
    this.#text = [target, ...head.fields.map((field) => field.join(':'))].join('\n');
  }

  /** Bytes of memory that count, because they are more than usual. */
  get countedSize(): number {
    return this.#text.length > usualSize ? this.#text.length : 0;
  }

  get url(): URL {
    const [target = '/'] = this.#lines;
    const path = asText(target);
    const scheme = this.#isSecure ? 'wss' : 'ws';
    const named = `${scheme}://${this.get('host')}${path}`;
    return new URL(URL.canParse(named) ? named : `${scheme}://localhost${path}`);
  }

  get headers(): RequestHeaders {
    return this;
  }

  get origin(): string | undefined {
    return this.get('origin');
  }

  get protocols(): string[] {
    const offered = (this.get('sec-websocket-protocol') ?? '').split(',').map((one) => one.trim());
    return offered.filter((one) => one !== '');
  }

  cookie(name: string): string | undefined {
    for (const pair of (this.get('cookie') ?? '').split(';')) {
      const equals = pair.indexOf('=');
      if (equals !== -1 && pair.slice(0, equals).trim() === name) return decoded(pair.slice(equals + 1).trim());
    }
    return undefined;
  }

  get(name: string): string | undefined {
    const values = this.getAll(name);
    return values.length === 0 ? undefined : values.join(name.toLowerCase() === 'cookie' ? '; ' : ', ');
  }

  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    return [...this].filter(([known]) => known === wanted).map(([, value]) => value);
  }

  has(name: string): boolean {
    const wanted = name.toLowerCase();
    return this.#headers.some((line) => line.startsWith(`${wanted}:`));
  }

  *[Symbol.iterator](): IterableIterator<HeaderField> {
    for (const line of this.#headers) {
      const colon = line.indexOf(':');
      yield [line.slice(0, colon), line.slice(colon + 1)];
    }
  }

  get #lines(): string[] {
    return this.#text.split('\n');
  }

  get #headers(): string[] {
    return this.#lines.slice(1);
  }
}

/** The value of a cookie without the quotes that it may have. */
function decoded(value: string): string {
  const plain = /^".*"$/.test(value) ? value.slice(1, -1) : value;
  try {
    return decodeURIComponent(plain);
  } catch {
    // It is not percent-encoded: only that makes the function fail.
    return plain;
  }
}
