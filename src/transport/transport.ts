/**
 * The contract of a transport: connections that carry bytes, and listeners that accept them.
 *
 * Sessions and clients depend only on this contract. `node.ts` and `bun.ts` are for TCP and Unix sockets, `memory.ts` for
 * tests; all pass the same contract tests. `tls.ts` and `websocket.ts` connect; `handshakes.ts` listens for both,
 * and on Bun `tls/bun-listener.ts` for TLS.
 */
import type { Address, SocketAddress } from '../address.ts';
import type { Clock } from '../clock.ts';
import type { YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import type { AddressList } from './address-list.ts';
import type { Handshake } from './client-handshake.ts';
import type { Security } from './tls/security.ts';
import type { AuthorizeUpgrade, UpgradeRequest } from './websocket/request.ts';

export type { Handshake, WebSocketUpgrade } from './client-handshake.ts';
export type { AlternativeNames, Certificate, NameFields, Security, TlsHandshake } from './tls/security.ts';
export type {
  AuthorizeUpgrade,
  RequestHeaders,
  UpgradeAnswer,
  UpgradeClient,
  UpgradeDecision,
  UpgradeRequest,
} from './websocket/request.ts';

/**
 * Receives the events of a connection. No method is called before `start`, after `onClose`, or from inside a call to the
 * connection. After `abort` or `release`, only `onClose` is called.
 */
export interface Receiver {
  /** The peer's next bytes. See {@link Connection.chunksAreBorrowed} for how long they may be used. */
  onData(chunk: Uint8Array): void;
  /** The peer has ended its side (FIN): no more bytes will arrive. This side may continue to write. */
  onEnd(): void;
  /** Some of the pending bytes were sent; `unsent` is what remains. Not called for bytes that were sent at once. */
  onDrain(): void;
  /**
   * The connection is closed: both sides have ended, or it was aborted, or it broke (then `error` says why). Called exactly
   * once. After a local `abort` or `release` there is no error.
   */
  onClose(error?: Error): void;
  /** Who wants to know which memory the connection keeps, if anyone. */
  readonly keeper?: MemoryKeeper | undefined;
}

/**
 * Accounts for memory that the connection keeps. Bytes on their way out may be kept by several connections at once: a message
 * that is sent to all of them, or a buffer in which each of them has a few bytes.
 */
export interface MemoryKeeper {
  /** @param size in bytes */
  kept(memory: object, size: number): void;
  /** It is kept no longer. Called once for each call of `kept`. */
  freed(memory: object): void;
  /** Counts what was kept or freed outside of all calls of the receiver. */
  recount?(): void;
}

/** One transport-level stream. */
export interface Connection {
  /** This side's address. */
  readonly local: Address;
  /** The other side's address. The client of a Unix socket has no path of its own; its address is the listener's. */
  readonly peer: Address;
  /**
   * Whether the chunks passed to `onData` are borrowed: valid during the call only, because the transport reuses their
   * memory. `write` copies what it cannot send at once of a borrowed chunk, so a chunk may be written back. Known from
   * `start` on. In both cases the receiver may change the chunk.
   */
  readonly chunksAreBorrowed: boolean;
  /** The framing of this connection's bytes in both directions, where the transport has one of its own, as WebSocket has. */
  readonly framing?: Framing | undefined;
  /** The result of the TLS handshake, if the connection is encrypted. */
  readonly security?: Security | undefined;
  /** How this connection was established, if this is the client's end. Read it while the connection is open. */
  readonly handshake?: Handshake | undefined;
  /** The request that opened it, if this is the server's end of a WebSocket. */
  readonly upgrade?: ReceivedUpgrade | undefined;
  /** Whether there may be more to read, and others are read first. */
  readonly awaitsTurn?: boolean | undefined;
  /** The descriptor of its socket, where the runtime tells. */
  readonly descriptor?: number | undefined;
  /**
   * Bytes written that the operating system has not accepted yet: they cost this process memory. When the connection is
   * broken, the bytes that were lost; after `abort` and `release`, 0.
   */
  readonly unsent: number;
  /**
   * Bytes of memory that the unsent bytes keep, without what was reported to {@link Receiver.keeper}. Absent: as many as are
   * unsent.
   */
  readonly unsentMemory?: number;

  /**
   * Goes on over TLS as its server: STARTTLS. Resolves when the handshake is complete; what is written meanwhile follows it.
   * Absent: the connection was not prepared for that (see upgradable.ts).
   *
   * @throws YodelError `YODEL_TLS`; the connection is closed then
   */
  acceptTls?(tls: ServerTls): Promise<void>;
  /** Begins to receive. Call it once. */
  start(receiver: Receiver): void;
  /**
   * Sends bytes after all earlier ones. It always accepts all of them: check `unsent` before you write more. The bytes must
   * not change until `unsent` is 0, which it usually is when `write` returns. Does nothing once the connection is ended,
   * aborted or closed.
   */
  write(bytes: Uint8Array): void;
  /** Stops `onData` until `resume`; the network's flow control then slows the peer down. */
  pause(): void;
  resume(): void;
  /**
   * Closes the connection with an error if the peer has reset it since it ended. Once the peer has ended nothing is read, so
   * that its reset shows only when something is written. Absent: resets are noticed at once, or never.
   */
  probe?(): void;
  /**
   * Sends FIN after everything that was written. The peer may continue to send.
   *
   * @param why the error that ends the connection, for transports that tell the peer: the close code of WebSocket
   */
  end(why?: YodelError): void;
  /** Stops reading and closes, without a reset where possible: for a connection that has ended and sent everything. */
  release(): void;
  /**
   * Closes the connection at once; unsent bytes are lost, and the peer sees a reset where the transport has one.
   *
   * @param why as for `end`
   */
  abort(why?: YodelError): void;
  /** Resolves when nothing is left of what the connection stood for: a program and what it started. Absent: once it is closed. */
  gone?(): Promise<void>;
}

/** The request that opened a WebSocket, at the server's end. */
export interface ReceivedUpgrade extends UpgradeRequest {
  /** What `authorizeUpgrade` gave the session as its data. Undefined: nothing. */
  readonly data: unknown;
}

/** Accepts connections at one address. */
export interface Listener {
  /** The address that it listens on. Port 0 is replaced by the real one. */
  readonly address: SocketAddress;
  /** Replaces the certificates for new connections. Present only with TLS. */
  readonly renew?: ((tls: ServerTls) => void) | undefined;
  /**
   * Stops accepting, and resolves when the address is free again. Accepted connections continue.
   *
   * @param signal if given, connections that wait in the operating system's queue are accepted first, and handshakes that
   *   have begun may complete, both until it is aborted. Default: neither; the clients' connections are reset
   */
  close(signal?: AbortSignal): Promise<void>;
}

/** How to listen. */
export interface ListenOptions {
  /** The longest queue of connections not yet accepted. */
  readonly backlog: number;
  /** Whether other processes with this option may listen at the same port (`SO_REUSEPORT`); the kernel distributes connections. */
  readonly reusePort?: boolean | undefined;
  /** A descriptor of this process that already listens at the address. `backlog` and `reusePort` are ignored then. */
  readonly descriptor?: number | undefined;
  /** Called for each connection. Nothing is delivered from it before its `start`. */
  readonly accept: (connection: Connection) => void;
  /** Called when accepting fails; the listener continues. */
  readonly failed: (error: Error) => void;
  /**
   * Called for a connection that needs a handshake before its first message (TLS, WebSocket, a PROXY header), as soon as its
   * peer is known. If it returns undefined, the connection is closed; otherwise the result receives the outcome.
   *
   * @param isBalancer whether the peer is a load balancer, whose header has still to name the client
   * @param refused called with the reason if it returns undefined
   */
  readonly admit?:
    | ((peer: Address, isBalancer?: boolean, refused?: (error: YodelError) => void) => PendingConnection | undefined)
    | undefined;
  /** How long all handshakes of a connection may take, in milliseconds. 0: no limit. */
  readonly handshakeTimeout?: number | undefined;
  /** See the option of `serve()`. Default: that of `connect()`, which is the same. */
  readonly keepAlive?: number | undefined;
  /** Required for `tls://` and `wss://`. */
  readonly tls?: ServerTls | undefined;
  /** Required for `ws://` and `wss://`. */
  readonly webSocket?: ServerWebSocket | undefined;
  /** Peers whose connections begin with a header of the PROXY protocol. */
  readonly proxies?: AddressList | undefined;
}

/** A connection whose handshakes are not complete. */
export interface PendingConnection {
  /**
   * The header of a load balancer names the client, and there are further handshakes. False: it is refused, and there is no
   * other outcome.
   */
  identify(client: Address): boolean;
  /**
   * Says how many bytes of its handshakes are kept now, where a peer can send many of them.
   *
   * @param drop disconnects it, because they are too many
   */
  buffers(bytes: number, drop: () => void): void;
  /** The handshakes are complete. */
  accepted(connection: Connection): void;
  /** A handshake failed. */
  failed(error: Error): void;
}

/** A certificate with its intermediate certificates, and its key, in PEM. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}

/** A listener's certificates, and what it requires of clients. */
export interface ServerTls extends CertificateAndKey {
  /** Certificates for certain server names; `*` in `*.example.org` matches one label. Other names get the main one. */
  readonly sni?: Readonly<Record<string, CertificateAndKey>> | undefined;
  /** Certificate authorities for client certificates, in PEM. If set, a client without a valid certificate is refused. */
  readonly clientCa?: string | undefined;
  /** ALPN protocols, the preferred first. A client that offers only others is refused; one that offers none is accepted. */
  readonly alpn?: readonly string[] | undefined;
}

/** How a listener speaks WebSocket. */
export interface ServerWebSocket {
  /** Pings a client that sends nothing for this long, in milliseconds. 0: never. */
  readonly pingInterval: number;
  /**
   * Web pages of these origins may connect, besides the server's own: `https://app.example.org`, or `*` for all. Clients
   * other than browsers send no origin and may always connect.
   */
  readonly origins: readonly string[];
  /** Decides about requests that passed all other checks. Absent: they are granted. */
  readonly authorize?: AuthorizeUpgrade | undefined;
  /** Measures the time of handshakes and pings. Default: real time. */
  readonly clock?: Clock | undefined;
}

/** Which servers to trust when connecting over TLS. */
export interface TlsOptions {
  /** Certificates of authorities to trust instead of the system's, in PEM. */
  readonly ca?: string | undefined;
  /** The name that the server's certificate must have. Default: the address's host. */
  readonly servername?: string | undefined;
  /** Accepts any certificate, so that anyone can impersonate the server. Default: no. */
  readonly insecure?: boolean | undefined;
  /** A certificate for servers that request one, with its intermediate certificates, in PEM; with `key`. */
  readonly cert?: string | undefined;
  /** Its key, in PEM. */
  readonly key?: string | undefined;
}

/** How to connect. */
export interface DialOptions {
  /** Cancels the attempt when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** For addresses over TLS. */
  readonly tls?: TlsOptions | undefined;
  /** Probes a silent peer after this time over TCP, in milliseconds. 0: never. Default: that of `connect()`. */
  readonly keepAlive?: number | undefined;
  /** For WebSocket: pings a server that sends nothing for this long, in milliseconds. 0: never. Default: that of `connect()`. */
  readonly pingInterval?: number | undefined;
  /** For WebSocket: measures the time of pings. Default: real time. */
  readonly clock?: Clock | undefined;
  /**
   * For `exec:`: receives what the program prints on stderr, line by line and not escaped. Default: the last lines are in the
   * error if the program fails.
   */
  readonly stderr?: ((line: string) => void) | undefined;
  /**
   * For `exec:`: the host of the client for which a server connects. Programs for clients are started one after another, so that
   * they cost other clients no time. Default: this program's own connection, which starts at once.
   */
  readonly client?: string | undefined;
  /** For `exec:` with `client`: called when it is the program's turn, before it is started. Time-outs begin then. */
  readonly starting?: (() => void) | undefined;
}

/**
 * Connects and listens. `memoryTransport()` of `yodel/testing` creates one for tests. Programs need none of their own: the contract may
 * grow.
 */
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
  listen(address: SocketAddress, options: ListenOptions): Promise<Listener>;
}
