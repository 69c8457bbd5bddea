/**
 * The contract of a transport: connections that carry bytes, and listeners that accept them.
 *
 * A session and a client know only this. `node.ts` and `bun.ts` speak TCP and Unix sockets, `memory.ts` is for tests; all
 * pass the same contract tests. `tls.ts` and `websocket.ts` only connect.
 */
import type { Address } from '../address.ts';

/**
 * What a connection tells its owner. No call comes before `start`, none after `onClose`, none from inside a call to the
 * connection, and after `abort` or `release` only `onClose`.
 */
export interface Receiver {
  /** The peer's next bytes. See {@link Connection.lendsChunks} for how long they may be used. */
  onData(chunk: Uint8Array): void;
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
   * Whether `onData` lends its chunk for the call only: the bytes will be overwritten afterwards. `write` copies of a
   * lent chunk what it cannot hand on at once, so that it may be written back. Known from `start` on.
   */
  readonly lendsChunks: boolean;
  /**
   * Whether the transport keeps messages apart by itself, as WebSocket does: then each `write` is one message, also one of
   * no bytes, each `onData` brings one whole, and no framing is needed.
   */
  readonly carriesMessages: boolean;
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

/** Accepts connections at one address. */
export interface Listener {
  /** Where it really listens: with port 0, the port that was taken. */
  readonly address: Address;
  /** Takes no more connections, and resolves when the address is free again. Those that were accepted go on. */
  close(): Promise<void>;
}

/** How to listen. */
export interface ListenOptions {
  /** How long the queue of connections not yet accepted may get. */
  readonly backlog: number;
  /** Called for each connection, which does nothing before its `start`. */
  readonly accept: (connection: Connection) => void;
  /** Called when accepting fails; the listener goes on. */
  readonly failed: (error: Error) => void;
}

/** Whom to trust when connecting over TLS. */
export interface TlsOptions {
  /** Certificates of authorities to trust in place of those that the system trusts, in PEM. */
  readonly ca?: string | undefined;
  /** The name that the server's certificate must have, in place of the address's host. */
  readonly servername?: string | undefined;
  /** Takes any certificate: whoever answers may be somebody else. Default: no. */
  readonly insecure?: boolean | undefined;
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
