/** The sockets of `Bun.listen` and `Bun.connect`, and their events. */

/** Receives the events of a socket that has it as `data`. */
export interface SocketEvents {
  received(chunk: Uint8Array): void;
  /** The socket accepts more. Bun also calls this when nothing had to wait. */
  writable(): void;
  ended(): void;
  closed(error: Error | undefined): void;
}

/** The part of Bun's sockets that is used here. */
export interface BunSocket {
  data: SocketEvents;
  /** The addresses are undefined when the peer is already gone. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly fd: number;
  /** Returns how many bytes were accepted, and drops the rest; -1 when the socket is closed. */
  write(bytes: Uint8Array): number;
  /** Sends FIN. */
  shutdown(): void;
  end(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  /** @param delay in milliseconds, at least a second */
  setKeepAlive(enable: boolean, delay: number): boolean;
}

/** What Bun calls with a socket and an event. */
export interface BunHandlers {
  open(socket: BunSocket): void;
  data(socket: BunSocket, chunk: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}
