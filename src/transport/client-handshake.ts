/** What a client knows of its connection. The types mention nothing of a runtime: the client for browsers has them, too. */
import type { Address } from '../address.ts';
import type { TlsHandshake } from './tls/security.ts';

/** How a client's connection was established, step by step. Times are milliseconds. */
export interface Handshake {
  /** This side's address. */
  readonly local: Address;
  /** The server's address, with an IP address instead of a name. */
  readonly remote: Address;
  /**
   * The IP addresses that the host's name stands for. Undefined if the host is not a name, or the runtime does not tell: Bun
   * does so only for connections over TLS.
   */
  readonly resolved: readonly string[] | undefined;
  /** How long it took to look up the name. Undefined as for `resolved`. */
  readonly lookupMs: number | undefined;
  /** How long it took to connect after that. If the runtime does not tell the time for the lookup, it is included. */
  readonly connectMs: number;
  /** The TLS handshake, if the connection is encrypted. */
  readonly tls?: TlsHandshake | undefined;
  /** The upgrade of a WebSocket. */
  readonly upgrade?: WebSocketUpgrade | undefined;
}

/** A server's answer to the request for a WebSocket. The text is the server's: escape it before you print it. */
export interface WebSocketUpgrade {
  /** `HTTP/1.1 101 Switching Protocols`. */
  readonly status: string;
  /** The headers by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** How long the server took to answer, in milliseconds. */
  readonly tookMs: number;
}
