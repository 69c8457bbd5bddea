/** What a connection keeps in memory before it has a session. */
import type { MemoryLimit, MemoryUser } from '../session/memory-limit.ts';

/** The bytes of one connection's handshakes, as a part of the server's memory limit. */
export class HandshakeMemory implements MemoryUser {
  buffered = 0;
  /** Only reading completes a handshake, so it is never throttled. */
  readonly hasPending = false;
  readonly #memoryLimit: MemoryLimit;
  #drop: (() => void) | undefined;

  constructor(memoryLimit: MemoryLimit) {
    this.#memoryLimit = memoryLimit;
  }

  /** @param drop disconnects the connection */
  report(bytes: number, drop?: () => void): void {
    const by = bytes - this.buffered;
    if (by === 0) return;
    this.buffered = bytes;
    this.#drop = drop;
    this.#memoryLimit.changed(this, by, by > 0);
  }

  costs(): number {
    return this.buffered;
  }

  throttle(): void {}

  disconnect(): void {
    const drop = this.#drop;
    this.report(0);
    drop?.();
  }
}
