/** A WebSocket as a connection. Uses `ws` on both runtimes; Bun replaces it with its own implementation. */
import type { WebSocket } from 'ws';
import type { Address } from '../../address.ts';
import { asBuffer } from '../../framing/framing.ts';
import { websocket } from '../../framing/websocket.ts';
import type { Connection, Receiver } from '../transport.ts';

const headerSize = 5;

/** Close codes of an orderly end (RFC 6455, section 7.4.1): normal, going away, and no code at all. */
const orderlyCodes: ReadonlySet<number> = new Set([1000, 1001, 1005]);

/** Each message is a frame of the framing `websocket`. */
export class WebSocketConnection implements Connection {
  readonly local: Address;
  readonly peer: Address;
  readonly chunksAreBorrowed = false;
  readonly framing = websocket;
  readonly #socket: WebSocket;
  #receiver: Receiver | undefined;
  /** Messages received before `start`. */
  #early: Buffer[] = [];
  /** After `release` or `abort`: only `onClose` may still be called. */
  #released = false;
  #ending = false;
  #closed = false;
  #error: Error | undefined;
  /** `unsent` when it was last checked. */
  #lastUnsent = 0;

  constructor(socket: WebSocket, local: Address, peer: Address) {
    this.#socket = socket;
    this.local = local;
    this.peer = peer;
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#received(this.chunkOf(data, isBinary)));
    socket.on('error', (error: Error) => {
      this.#error ??= this.explain(error);
    });
    socket.on('close', (code: number) => this.#ended(code));
  }

  get unsent(): number {
    return this.#released || this.#closed ? 0 : this.#socket.bufferedAmount;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    const early = this.#early;
    this.#early = [];
    queueMicrotask(() => {
      for (const message of early) this.#received(message);
      this.reportUnfinished();
      if (this.#closed) this.#reportClosed();
    });
  }

  /** Takes whole frames: an output never splits them. */
  write(bytes: Uint8Array): void {
    const frames = asBuffer(bytes);
    for (let at = 0; at < frames.length; ) {
      const end = at + headerSize + frames.readUInt32BE(at + 1);
      this.send(frames.subarray(at + headerSize, end), frames[at] === 2);
      at = end;
    }
  }

  /** Sends one message. */
  protected send(message: Uint8Array, isBinary: boolean): void {
    if (this.#ending || this.#closed) return;
    this.#socket.send(message, { binary: isBinary }, () => this.#sent());
    this.#lastUnsent = this.unsent;
  }

  /** A received message as the chunk for `onData`. */
  protected chunkOf(message: Buffer, isBinary: boolean): Buffer {
    const frame = Buffer.allocUnsafe(headerSize + message.length);
    frame[0] = isBinary ? 2 : 1;
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, headerSize);
    return frame;
  }

  /** Converts an error of `ws` to the one to report. */
  protected explain(error: Error): Error {
    return error;
  }

  /** Bytes received of a message that is not complete, where that is known. */
  protected get unfinished(): number {
    return 0;
  }

  protected reportUnfinished(): void {
    if (this.unfinished > 0 && !this.#released && !this.#closed) this.#receiver?.onUnfinished?.(this.unfinished);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#socket.close(1000);
  }

  release(): void {
    this.#released = true;
    // After `end`, this would wait for a peer that does not answer the close frame.
    if (this.#ending) this.#socket.terminate();
    else this.end();
  }

  abort(): void {
    this.#released = true;
    this.#ending = true;
    this.#socket.terminate();
  }

  #received(message: Buffer): void {
    if (this.#released) return;
    if (this.#receiver) this.#receiver.onData(message);
    else this.#early.push(message);
  }

  #sent(): void {
    if (this.#released || this.#closed || this.unsent >= this.#lastUnsent) return;
    this.#lastUnsent = this.unsent;
    this.#receiver?.onDrain();
  }

  #ended(code: number): void {
    if (!orderlyCodes.has(code)) this.#error ??= new Error(`closed with code ${code}`);
    this.#closed = true;
    if (this.#receiver) this.#reportClosed();
  }

  #reportClosed(): void {
    if (!this.#error && !this.#released) this.#receiver?.onEnd();
    this.#receiver?.onClose(this.#released ? undefined : this.#error);
  }
}
