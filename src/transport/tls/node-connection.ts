/**
 * A connection over a socket of `node:tls`. Two things differ from a plain one:
 *
 * - A write is never complete when it returns: Node reports that in a later phase of the event loop, even if the kernel
 *   has the bytes.
 * - Pausing does not stop the bytes that are decrypted already, if reads are borrowed. A {@link PausableReceiver} keeps them.
 */
import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Address, SocketAddress } from '../../address.ts';
import { realClock } from '../../clock.ts';
import { NodeConnection, peerOf } from '../node/connection.ts';
import { copyToSlab, freeLatest } from '../node/slab.ts';
import { PausableReceiver } from '../pausable-receiver.ts';
import type { Receiver, Security } from '../transport.ts';
import { brokenTls, clientRefused } from './errors.ts';

/** The connection of an encrypted socket that was accepted at `address`, or is connected to it. */
export function tlsConnectionOf(
  socket: TLSSocket,
  address: SocketAddress,
  peer: Address = peerOf(socket, address),
  security?: Security,
): TlsConnection {
  return new TlsConnection(socket, address, peer, security);
}

const nothing = Buffer.alloc(0);

/** How long the last write may take to be complete once the kernel has its bytes: on a busy machine a turn of the event loop. */
const lastWriteMs = 1000;

/** The parts of an encrypted socket that are not public: below its handle is the one of the TCP connection. */
interface InnerSocket {
  readonly _handle?: { readonly _parent?: { readonly writeQueueSize?: number } } | null;
}

/** See the top of the file. */
export class TlsConnection extends NodeConnection {
  /** Whether the socket's writes were seen to complete later. On Bun they usually do not. */
  #writesWait = false;
  /** Whether the kernel is known to have everything that was passed to the socket. */
  #isTaken = false;
  /** One for all writes. */
  #whenWritten: ((error?: Error | null) => void) | undefined;
  #isPaused = false;
  /** What the stream had buffered before `start`. */
  #early: Uint8Array[] | undefined;
  #events: PausableReceiver | undefined;

  /** Of a client: whether its server judges certificates of clients, and so may reset the connection because of this one's. */
  judgesClient = false;
  #hasReceived = false;
  #isBroken = false;

  override get unsent(): number {
    return this.#isTaken ? this.queued : super.unsent;
  }

  /** Until the kernel has taken a write, it is there twice: as it was written, and encrypted. */
  override get unsentMemory(): number {
    return super.unsentMemory + (this.#isTaken ? 0 : this.socket.writableLength);
  }

  override start(receiver: Receiver): void {
    super.start(receiver);
    if (!this.chunksAreBorrowed) return;
    this.#writesWait = true;
    this.#isTaken = true;
    this.#events = new PausableReceiver(receiver, () => super.resume(), this.#isPaused, true, this.#early);
    this.receiver = this.#events;
  }

  /** The first bytes usually arrive together with the end of the handshake. */
  protected override canBorrow(): boolean {
    const { socket } = this;
    if (socket.readableEnded || socket.destroyed) return false;
    for (let chunk = read(socket); chunk; chunk = read(socket)) {
      this.#hasReceived = true;
      this.#early ??= [];
      this.#early.push(chunk);
    }
    return true;
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
    super.release();
  }

  override abort(): void {
    this.#events?.drop();
    super.abort();
  }

  override received(chunk: Buffer): void {
    this.#hasReceived = true;
    super.received(chunk);
  }

  override failed(error: Error): void {
    super.failed(this.#explained(error));
    // Of an alert Node reports the error, and then an orderly end. Bun reports that even of a destroyed socket.
    this.#isBroken = true;
    this.socket.destroy();
  }

  override ended(): void {
    if (this.#isBroken) return;
    // If a write has met a reset, Node reports an orderly end, and neither an error nor the end of that write.
    if (this.socket.writableLength > 0 && isBroken(this.descriptor)) this.failed(resetByPeer());
    else super.ended();
  }

  #explained(error: Error): Error {
    const server = this.security ? undefined : this.peer;
    const isRefused = server && this.judgesClient && !this.#hasReceived && isReset(error);
    return isRefused ? clientRefused(server, error) : brokenTls(error, server);
  }

  protected override close(): void {
    // The end may still wait behind a write that the kernel has, but that is not complete.
    const { socket } = this;
    if (!this.#isTaken || socket.writableLength === 0) return super.close();
    socket.destroySoon();
    // If the peer has reset the connection, that write may never be complete.
    const timer = realClock.deadline(lastWriteMs, () => socket.destroy());
    socket.once('close', () => timer.cancel());
  }

  protected override writePiece(bytes: Uint8Array, isBorrowed: boolean): Uint8Array {
    const socket = this.socket;
    if (!this.#writesWait) {
      const written = super.writePiece(bytes, isBorrowed);
      this.#writesWait = socket.writableLength > 0;
      return written;
    }
    const piece = isBorrowed ? copyToSlab(bytes) : bytes;
    this.#whenWritten ??= (error) => this.written(error);
    socket.write(piece, this.#whenWritten);
    // Node encrypts within the call, and passes the records of up to 160 KiB to the TCP connection at once. If nothing
    // waits there, the kernel has them. Without this, every write would seem to wait, and cost a turn of its session.
    this.#isTaken = this.chunksAreBorrowed && (socket as InnerSocket)._handle?._parent?.writeQueueSize === 0;
    if (isBorrowed && this.#isTaken) freeLatest(piece);
    // The same after the end, if the reply comes later.
    if (socket.readableEnded && isBroken(this.descriptor)) this.failed(resetByPeer());
    return piece;
  }

  protected override written(error?: Error | null): void {
    if (this.#isTaken && this.queued === 0) return this.forgetWritten();
    this.#isTaken = this.chunksAreBorrowed && !error;
    super.written(error);
  }
}

/** Takes the next bytes that the stream has buffered. */
function read(socket: Socket): Buffer | null {
  return socket.readableLength === 0 ? null : (socket.read() as Buffer | null);
}

/** Whether nothing can be written to a descriptor any more. An empty write fails only on a connection that was reset. */
function isBroken(descriptor: number): boolean {
  if (descriptor < 0) return false;
  try {
    writeSync(descriptor, nothing);
    return false;
  } catch (error) {
    return isReset(error as NodeJS.ErrnoException);
  }
}

function resetByPeer(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
}

function isReset(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ECONNRESET' || error.code === 'EPIPE';
}
