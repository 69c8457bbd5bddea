/**
 * The contract of a transport: connections that carry bytes, and listeners that accept them.
 *
 * A session and a client know only this. `node.ts` and `bun.ts` speak TCP and Unix sockets, `memory.ts` is for tests; all
 * pass the same contract tests. `tls.ts` and `websocket.ts` connect; `arrival.ts` listens for both.
 */
import type { Address } from '../address.ts';
import type { Framing } from '../framing/framing.ts';
import type { AddressList } from './address-list.ts';

/**
 * What a connection tells its owner. No call comes before `start`, none after `onClose`, none from inside a call to the
 * connection, and after `abort` or `release` only `onClose`.
 */
export interface Receiver {
  /** The peer's next bytes. See {@link Connection.chunksAreBorrowed} for how long they may be used. */
  onData(chunk: Uint8Array): void;
  /**
   * The transport keeps `bytes` of a message until it has all of it, where it carries messages itself. Called whenever more
   * of one has come; `onData` brings it whole, and then there is none.
   */
  onUnfinished?(bytes: number): void;
  /** The peer has ended its side (FIN): no more bytes will come. This side may go on writing. */
  onEnd(): void;
  /** Some of what waited to be sent has gone; `unsent` tells what still waits. Not called for what never had to wait. */
  onDrain(): void;
  /**
   * The connection is gone: both sides have ended, or it was aborted or broken (then `error` says why). Called
   * exactly once. To have called `abort` or `release` oneself is no error.
   */
  onClose(error?: Error): void;
}

/** One transport-level stream. */
export interface Connection {
  /** This side's address. */
  readonly local: Address;
  /** The other side's address. A Unix socket's client has no path of its own: then it is the listener's. */
  readonly peer: Address;
  /**
   * Whether the chunks passed to `onData` are borrowed: valid during the call only, because the transport reuses their
   * memory. `write` copies what it cannot send at once of a borrowed chunk, so a chunk may be written back. Known from
   * `start` on.
   */
  readonly chunksAreBorrowed: boolean;
  /**
   * Whether the transport keeps messages apart by itself, as WebSocket does: then each `write` is one message, also one of
   * no bytes, each `onData` brings one whole, and no framing is needed.
   */
  readonly carriesMessages: boolean;
  /**
   * How messages stand in the bytes of this connection, whatever its server's framing is: given where the transport itself
   * keeps messages apart, and a server serves it.
   */
  readonly framing?: Framing | undefined;
  /** What was agreed on, when the connection is encrypted. */
  readonly security?: Security | undefined;
  /**
   * Bytes written that the operating system has not taken yet: they cost this process memory. When the connection is
   * broken, those that were lost; after `abort` and `release`, 0.
   */
  readonly unsent: number;

  /** Begins to receive. To be called once. */
  start(receiver: Receiver): void;
  /**
   * Sends bytes after all earlier ones. It always takes all of them: look at `unsent` before you write more. The bytes
   * must not change any more until `unsent` is 0, which it most often is when `write` returns. Does nothing once the
   * connection is ended, aborted or closed.
   */
  write(bytes: Uint8Array): void;
  /** Stops `onData` until `resume`: the peer will be slowed down by the network's own flow control. */
  pause(): void;
  resume(): void;
  /** Sends FIN after all that was written. The peer may go on sending. */
  end(): void;
  /** Stops reading and lets go of the connection, without a reset if it can: for one that has ended and sent all it had. */
  release(): void;
  /** Ends the connection at once; what is unsent is lost, and the peer sees a reset where the transport has one. */
  abort(): void;
}

/** What the two sides of an encrypted connection agreed on. */
export interface Security {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly protocol: string;
  /** The name that the client asked for (SNI), if it did. */
  readonly servername: string | undefined;
  /** The protocol that both agreed on (ALPN), if they did. */
  readonly alpn: string | undefined;
  /** The subject of the client's certificate, such as `CN=ada,O=Example`, when one was asked for, and is good. */
  readonly subject: string | undefined;
}

/** Accepts connections at one address. */
export interface Listener {
  /** Where it really listens: with port 0, the port that was taken. */
  readonly address: Address;
  /** Shows other certificates from now on. Connections that are there already go on. Only where there is TLS. */
  readonly renew?: ((tls: ServerTls) => void) | undefined;
  /** Takes no more connections, and resolves when the address is free again. Those that were accepted go on. */
  close(): Promise<void>;
}

/** How to listen. */
export interface ListenOptions {
  /** How long the queue of connections not yet accepted may get. */
  readonly backlog: number;
  /** Whether other processes that say so too may listen at the same port; the operating system shares connections out. */
  readonly reusePort?: boolean | undefined;
  /** A descriptor of this process that listens at the address already. Then `backlog` and `reusePort` are its maker's business. */
  readonly descriptor?: number | undefined;
  /** Called for each connection, which does nothing before its `start`. */
  readonly accept: (connection: Connection) => void;
  /** Called when accepting fails; the listener goes on. */
  readonly failed: (error: Error) => void;
  /**
   * Called for a connection on which something stands before the first message (TLS, WebSocket, a PROXY header), as soon as
   * it is known whose it is. Without the answer it is broken off. What was answered is told how it went on.
   */
  readonly arrive?: ((peer: Address) => Arrival | undefined) | undefined;
  /** How long that may take, in milliseconds. 0: for ever. */
  readonly handshakeTimeout?: number | undefined;
  /** What `tls://` and `wss://` need. */
  readonly tls?: ServerTls | undefined;
  /** What `ws://` and `wss://` need. */
  readonly webSocket?: ServerWebSocket | undefined;
  /** From these peers each connection begins with a header of the PROXY protocol. */
  readonly proxies?: AddressList | undefined;
}

/** A connection that is on its way to being accepted. */
export interface Arrival {
  /** It is complete. */
  accepted(connection: Connection): void;
  /** It will not be. */
  failed(error: Error): void;
}

/** A certificate, and those between it and its authority, with its key, in PEM. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}

/** What a listener shows of itself, and wants to see. */
export interface ServerTls extends CertificateAndKey {
  /** Certificates for certain server names. `*.example.org` stands for one label. Others get the main one. */
  readonly sni?: Readonly<Record<string, CertificateAndKey>> | undefined;
  /** Authorities of client certificates, in PEM: then a client without a good certificate is refused. */
  readonly clientCa?: string | undefined;
  /** Protocols to agree on, the best first. A client that offers only others is refused, one that offers none is not. */
  readonly alpn?: readonly string[] | undefined;
}

/** How a listener speaks WebSocket. */
export interface ServerWebSocket {
  /** The longest message, in bytes. */
  readonly maxMessageLength: number;
  /**
   * Web pages of these origins may connect besides those of the server's own: `https://app.example.org`, or `*` for all.
   * Clients that are no browsers tell no origin, and may.
   */
  readonly origins: readonly string[];
}

/** Whom to trust when connecting over TLS. */
export interface TlsOptions {
  /** Certificates of authorities to trust in place of those that the system trusts, in PEM. */
  readonly ca?: string | undefined;
  /** The name that the server's certificate must have, in place of the address's host. */
  readonly servername?: string | undefined;
  /** Takes any certificate: whoever answers may be somebody else. Default: no. */
  readonly insecure?: boolean | undefined;
  /** A certificate to show to servers that ask for one, with those between it and its authority, in PEM; with `key`. */
  readonly cert?: string | undefined;
  /** Its key, in PEM. */
  readonly key?: string | undefined;
}

/** How to connect. */
export interface DialOptions {
  /** Gives up when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** For addresses over TLS. */
  readonly tls?: TlsOptions | undefined;
}

/** A way to connect and to listen. */
export interface Transport {
  /**
   * Resolves when connected.
   *
   * @throws YodelError `YODEL_CONNECTION_REFUSED`, `YODEL_HOST_NOT_FOUND`, `YODEL_TLS`, `YODEL_NETWORK`, …; the signal's
   *   reason when it is aborted
   */
  connect(address: Address, options?: DialOptions): Promise<Connection>;
  /**
   * Resolves when listening.
   *
   * @throws YodelError `YODEL_ADDRESS_IN_USE`, `YODEL_PERMISSION_DENIED`, …
   */
  listen(address: Address, options: ListenOptions): Promise<Listener>;
}
