/** An encrypted connection over a socket of Bun. */
import type { Address, SocketAddress } from '../../address.ts';
import { BunConnection } from '../bun.ts';
import type { BunSocket } from '../bun-socket.ts';
import { PausableReceiver } from '../pausable-receiver.ts';
import type { Receiver, Security } from '../transport.ts';

/** Bun, too, delivers what is decrypted already after the socket has been paused. */
export class BunTlsConnection extends BunConnection {
  override readonly security: Security;
  #isPaused = false;
  #events: PausableReceiver | undefined;

  constructor(socket: BunSocket, address: SocketAddress, peer: Address, security: Security) {
    super(socket, address, peer);
    this.security = security;
  }

  override start(receiver: Receiver): void {
    this.#events = new PausableReceiver(receiver, () => super.resume(), this.#isPaused);
    super.start(this.#events);
  }

  override pause(): void {
    this.#isPaused = true;
    this.#events?.pause();
    super.pause();
  }

  override resume(): void {
    this.#isPaused = false;
    if (this.#events) this.#events.resume();
    else super.resume();
  }

  override release(): void {
    this.#events?.drop();
    // Without this, Bun waits for the peer to end its side, too.
    this.end();
    super.release();
  }

  override abort(): void {
    this.#events?.drop();
    super.abort();
  }
}
