/** Makes `pause` exact for TLS: what is decrypted already arrives even after the socket has been paused. */
import { ownCopy } from '../framing/slices.ts';
import type { MemoryKeeper, Receiver } from './transport.ts';

/** Passes a connection's events on to its receiver, and keeps those that arrive while the connection is paused. */
export class PausableReceiver implements Receiver {
  readonly #receiver: Receiver;
  readonly #resumeSocket: () => void;
  readonly #chunksAreBorrowed: boolean;
  #isPaused: boolean;
  /** Chunks that arrived too early: those of one read of the socket. They count as memory of the connection. */
  #early: Uint8Array[] | undefined;
  #hasEnded = false;
  #hasClosed = false;

  /**
   * @param resumeSocket called when reading continues
   * @param early chunks that arrived before `start`
   */
  constructor(
    receiver: Receiver,
    resumeSocket: () => void,
    isPaused: boolean,
    chunksAreBorrowed = false,
    early?: Uint8Array[],
  ) {
    this.#receiver = receiver;
    this.#resumeSocket = resumeSocket;
    this.#isPaused = isPaused;
    this.#chunksAreBorrowed = chunksAreBorrowed;
    this.#early = early;
    for (const { buffer } of early ?? []) receiver.keeper?.kept(buffer, buffer.byteLength);
    if (early) queueMicrotask(() => this.#deliverEarly());
  }

  get keeper(): MemoryKeeper | undefined {
    return this.#receiver.keeper;
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Events that were kept are delivered after this call, and only then more is read. */
  resume(): void {
    this.#isPaused = false;
    if (this.#early || this.#hasEnded) queueMicrotask(() => this.#deliverEarly());
    else this.#resumeSocket();
  }

  /** Delivers nothing more, except the close, which may have been kept: after this call then. */
  drop(): void {
    for (const { buffer } of this.#early ?? []) this.#receiver.keeper?.freed(buffer);
    this.#early = undefined;
    this.#hasEnded = false;
    if (!this.#hasClosed) return;
    this.#hasClosed = false;
    queueMicrotask(() => this.#receiver.onClose());
  }

  onData(chunk: Uint8Array): void {
    if (!this.#isPaused && !this.#early) return this.#receiver.onData(chunk);
    const kept = this.#chunksAreBorrowed ? ownCopy(chunk) : chunk;
    this.#early ??= [];
    this.#early.push(kept);
    const { keeper } = this.#receiver;
    keeper?.kept(kept.buffer, kept.buffer.byteLength);
    keeper?.recount?.();
  }

  onEnd(): void {
    if (this.#isPaused || this.#early) this.#hasEnded = true;
    else this.#receiver.onEnd();
  }

  onDrain(): void {
    this.#receiver.onDrain();
  }

  onClose(error?: Error): void {
    if (this.#hasEnded && !error) {
      this.#hasClosed = true;
      return;
    }
    this.drop();
    this.#receiver.onClose(error);
  }

  #deliver(chunk: Uint8Array): void {
    this.#receiver.keeper?.freed(chunk.buffer);
    this.#receiver.onData(chunk);
  }

  #deliverEarly(): void {
    while (this.#early && !this.#isPaused) {
      const chunk = this.#early.shift();
      if (chunk) this.#deliver(chunk);
      else this.#early = undefined;
    }
    if (this.#isPaused) return;
    if (!this.#hasClosed) this.#resumeSocket();
    if (!this.#hasEnded) return;
    this.#hasEnded = false;
    this.#receiver.onEnd();
    if (!this.#hasClosed) return;
    this.#hasClosed = false;
    this.#receiver.onClose();
  }
}
