/** Watches a socket of `node:net` or `node:tls` while it connects. */
import type * as net from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Address } from '../../address.ts';
import type { Handshake, TlsHandshake } from '../transport.ts';

/** Reads what is known of a TLS handshake from its socket. */
export type ReadTls = (socket: TLSSocket, tookMs: number) => TlsHandshake;

/** Notes the times of one connection's steps. */
export class Connecting {
  readonly #startedAt = performance.now();
  readonly #resolved: string[] = [];
  readonly #socket: net.Socket;
  readonly #readTls: ReadTls | undefined;
  #lookedUpAt: number | undefined;
  #connectedAt = this.#startedAt;
  #readyAt = this.#startedAt;
  #handshake: Handshake | undefined;

  /** @param readTls for an encrypted socket */
  constructor(socket: net.Socket, readTls?: ReadTls) {
    this.#socket = socket;
    this.#readTls = readTls;
    socket
      .on('lookup', (error: Error | null, found: string, _family: unknown, host: string) =>
        this.#found(error, found, host),
      )
      .once('connect', () => {
        this.#connectedAt = performance.now();
      });
  }

  /** The connection is ready to be used. */
  ready(): void {
    this.#readyAt = performance.now();
  }

  /** What happened. Of TLS nothing is known once the socket is closed, if it was not asked before. */
  handshakeOf(local: Address, remote: Address): Handshake {
    this.#handshake ??= this.#read(local, remote);
    return this.#handshake;
  }

  #found(error: Error | null, address: string, host: string): void {
    // An IP address is its own result.
    if (error || address === host) return;
    this.#lookedUpAt ??= performance.now();
    if (!this.#resolved.includes(address)) this.#resolved.push(address);
  }

  #read(local: Address, remote: Address): Handshake {
    const socket = this.#socket;
    const readTls = socket.destroyed ? undefined : this.#readTls;
    const isKnown = this.#lookedUpAt !== undefined;
    return {
      local,
      remote,
      resolved: isKnown ? this.#resolved : undefined,
      lookupMs: this.#lookedUpAt === undefined ? undefined : this.#lookedUpAt - this.#startedAt,
      connectMs: this.#connectedAt - (this.#lookedUpAt ?? this.#startedAt),
      tls: readTls?.(socket as TLSSocket, this.#readyAt - this.#connectedAt),
    };
  }
}
