/** The request that opens a WebSocket, as programs see it, and what they may decide about it. */
import type { Address } from '../../address.ts';
import type { Security } from '../tls/security.ts';

/** The request that opened a WebSocket. The text is the client's: escape it before you print it. */
export interface UpgradeRequest {
  /**
   * What was requested, as a new object at each access: `wss://example.org/chat?room=tea`. The host is what the client calls this
   * server (the header `Host`), or `localhost` if that is not valid in a URL.
   */
  readonly url: URL;
  /** All headers, also cookies and credentials. They are kept as long as the session. */
  readonly headers: RequestHeaders;
  /** The origin of the web page that connects: `https://app.example.org`. Undefined: the client is no browser. */
  readonly origin: string | undefined;
  /** The subprotocols that the client offers, the preferred first. */
  readonly protocols: readonly string[];
  /** The subprotocol that was chosen. Undefined: none; or it is not decided yet, in `authorizeUpgrade`. */
  readonly protocol: string | undefined;
  /** The value of a cookie, decoded where it is percent-encoded. Undefined: there is none. Of several with this name, the first. */
  cookie(name: string): string | undefined;
}

/** The headers of a request. Names may be in any case. Values are Latin-1. */
export interface RequestHeaders extends Iterable<readonly [name: string, value: string]> {
  /** The value of a header; if it was sent several times, all values, joined by `, ` (of cookies by `; `). Undefined: it was not sent. */
  get(name: string): string | undefined;
  /** The values of a header, one for each time it was sent. */
  getAll(name: string): string[];
  /** Whether a header was sent. */
  has(name: string): boolean;
  /** The headers in the order in which they were sent, with names in lower case. */
  [Symbol.iterator](): IterableIterator<readonly [name: string, value: string]>;
}

/** Who requests an upgrade. */
export interface UpgradeClient {
  /** The other end of the connection. Behind a proxy for HTTP, this is the proxy. */
  readonly peer: Address;
  /** The result of the TLS handshake, including the client's certificate; undefined without TLS. */
  readonly security: Security | undefined;
}

/** An answer to a request for an upgrade. */
export interface UpgradeAnswer<Data = unknown> {
  /** An HTTP status from 300 to 599 refuses the upgrade. Default: 101, which grants it. */
  readonly status?: number | undefined;
  /** Why it is refused: for the client, as the text of the response, and for the log. Default: `not authorized`. */
  readonly reason?: string | undefined;
  /** Headers of the response, such as `Set-Cookie` or `WWW-Authenticate`: a plain object. Several values: one header for each. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** The subprotocol, one of those that the client offers. Default: the first one that it offers. */
  readonly protocol?: string | undefined;
  /** What the session has as its `data`, instead of what the option `data` creates. Default: that. */
  readonly data?: Data | undefined;
}

/** What `authorizeUpgrade` decides: true grants the upgrade, false refuses it with the HTTP status 403. */
export type UpgradeDecision<Data = unknown> = boolean | UpgradeAnswer<Data>;

/** Decides about a request that passed all other checks. */
export type AuthorizeUpgrade<Data = unknown> = (
  request: UpgradeRequest,
  client: UpgradeClient,
) => UpgradeDecision<Data> | Promise<UpgradeDecision<Data>>;
