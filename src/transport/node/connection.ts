/** A connection over a socket of `node:net`. `../tls/node-connection.ts` adds what differs for encrypted ones. */
import { writeSync } from 'node:fs';
import type * as net from 'node:net';
import { type Address, type SocketAddress, TcpAddress, TlsAddress } from '../../address.ts';
import { ReadsInTurns } from '../reads-in-turns.ts';
import type { Connection, Handshake, Receiver, Security } from '../transport.ts';
import { WriteQueue } from '../write-queue.ts';
import { canBorrowReads, readBuffer, readsBorrowedBy } from './borrowed-reads.ts';
import type { Connecting } from './connecting.ts';
import { lastReadsBy } from './last-reads.ts';
import { copyToSlab, freeLatest } from './slab.ts';

/**
 * The first write passes at most this many bytes to the operating system. As long as it takes a whole write at once, the
 * next one may be twice as large. Progress is known only when a whole write has completed, so the size of a write is also
 * the resolution at which a slow peer's progress is visible, and never exceeds what the kernel has just accepted. As large
 * as Node's own read, so that an echoed chunk is one write. A message of 1 MiB takes six writes instead of sixteen, and
 * costs a sixth less.
 */
const firstWrite = 65_536;
const largestWrite = 262_144;

/**
 * libuv before 1.52 (Node 22 and the first 24) reports a reset that follows unread bytes as an orderly end
 * (https://github.com/libuv/libuv/pull/4997): half a message would pass for a whole one. An empty write detects it, because
 * it fails on a connection that was reset. It costs a system call for each end, which newer versions do not need.
 */
const endMayBeReset = Number(process.versions.uv?.split('.')[1] ?? 0) < 52;
const nothing = Buffer.alloc(0);
/** Whether reads can be borrowed. {@link prepareReads} determines it before the first connection. */
let readsAreBorrowed = false;

/** Determines how sockets are read. Must be awaited before the first connection. */
export async function prepareReads(): Promise<void> {
  readsAreBorrowed = await canBorrowReads();
}

/** The connection of a socket that was accepted at `address`, or is connected to it. */
export function connectionOf(
  socket: net.Socket,
  address: SocketAddress,
  peer: Address = peerOf(socket, address),
  security?: Security,
): NodeConnection {
  readBeforeBreaking(socket);
  return new NodeConnection(socket, address, peer, security);
}

/** The address of the other end. Its host is `unknown` if the peer is already gone. */
export function peerOf({ remoteAddress, remotePort }: net.Socket, address: SocketAddress): Address {
  return address.scheme === 'unix' ? address : endOf(address, remoteAddress ?? 'unknown', remotePort ?? 0);
}

/** The address of one end of a socket that was accepted at `address`, or is connected to it. */
export function endOf(address: Address, host: string, port: number): Address {
  const end = TcpAddress.of(host, port);
  return address.scheme === 'tls' || address.scheme === 'wss' ? new TlsAddress(end.host, end.port) : end;
}

/**
 * Where a socket keeps its connection. All sockets share their listeners and find the connection here: closures for each
 * socket would be garbage that every short connection pays for.
 */
const connectionKey = Symbol('connection');

type OwnedSocket = net.Socket & { [connectionKey]: NodeConnection };

function onError(this: net.Socket, error: Error): void {
  (this as OwnedSocket)[connectionKey].failed(error);
}

function onData(this: net.Socket, chunk: Buffer): void {
  (this as OwnedSocket)[connectionKey].received(chunk);
}

function onEnd(this: net.Socket): void {
  (this as OwnedSocket)[connectionKey].ended();
}

/**
 * Nothing refers from the closed socket to its connection any more. Node's garbage collector frees many short connections only
 * in a full collection, and until then copies all that their sockets refer to: under a flood that takes 9 ms at a time, otherwise 2.
 */
function onClose(this: net.Socket): void {
  (this as OwnedSocket)[connectionKey].closed();
  this.removeAllListeners().on('error', ignoreError);
  (this as { [connectionKey]?: NodeConnection | undefined })[connectionKey] = undefined;
}

function ignoreError(): void {}

const borrowReads = readsBorrowedBy(onData);
const readBeforeBreaking = lastReadsBy((socket) => (socket as Partial<OwnedSocket>)[connectionKey]);

/** The descriptor of a socket; -1 if it is not open, or the runtime does not tell. */
function descriptorOf(socket: net.Socket): number {
  return (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;
}

/** Whether the peer has reset a connection whose both ends have ended: an empty write fails in any case, but not alike. */
function wasReset(socket: net.Socket): boolean {
  const fd = descriptorOf(socket);
  if (fd < 0) return false;
  try {
    writeSync(fd, nothing);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNRESET';
  }
  return false;
}

/** A connection over a socket, which may be an encrypted one. */
export class NodeConnection extends ReadsInTurns implements Connection {
  readonly peer: Address;
  readonly security: Security | undefined;
  chunksAreBorrowed = false;
  /** Of a connection to a server: how it came about. */
  connecting: Connecting | undefined;
  protected readonly socket: net.Socket;
  readonly #address: SocketAddress;
  /** Writes not passed to the socket yet. Created for the first write that has to wait. */
  #queue: WriteQueue | undefined;
  /** `unsent` when it was last checked. */
  #lastUnsent = 0;
  #isPaused = false;
  #ending = false;
  #error: Error | undefined;

  /** @param address the address connected to, or listened on */
  constructor(socket: net.Socket, address: SocketAddress, peer: Address, security?: Security) {
    super();
    this.socket = socket;
    this.#address = address;
    this.peer = peer;
    this.security = security;
    (socket as OwnedSocket)[connectionKey] = this;
    // Added here already: without a listener, an error between the accept and `start` would end the process.
    socket.on('error', onError);
  }

  /** Looked up on demand: it costs a system call, and few callers need it. */
  get local(): Address {
    const address = this.#address;
    if (address.scheme === 'unix') return address;
    const { localAddress, localPort } = this.socket;
    return endOf(address, localAddress ?? address.host, localPort ?? address.port);
  }

  get descriptor(): number {
    return descriptorOf(this.socket);
  }

  get handshake(): Handshake | undefined {
    return this.connecting?.handshakeOf(this.local, this.peer);
  }

  get unsent(): number {
    // A destroyed stream reports nothing of what was in flight.
    return this.socket.destroyed ? this.#lastUnsent : this.queued + this.inSocket;
  }

  get unsentMemory(): number {
    return this.#queue?.memory ?? 0;
  }

  /** Bytes of writes not passed to the socket yet. */
  protected get queued(): number {
    return this.#queue?.length ?? 0;
  }

  /** Bytes that were passed to the socket and are not written yet. */
  protected get inSocket(): number {
    return this.socket.writableLength;
  }

  start(receiver: Receiver): void {
    this.receiver = receiver;
    const socket = this.socket;
    this.chunksAreBorrowed = readsAreBorrowed && this.canBorrow();
    if (this.chunksAreBorrowed) this.#borrowReads();
    else socket.on('data', onData);
    // A peer that ended or reset before `start`: its events have been emitted already.
    if (socket.readableEnded) queueMicrotask(() => this.ended());
    else socket.on('end', onEnd);
    if (socket.closed) queueMicrotask(() => this.closed());
    else socket.on('close', onClose);
  }

  /** Bytes read before `start`, and a closed socket, need the public `data` event. */
  protected canBorrow(): boolean {
    const { readableLength, readableEnded, destroyed } = this.socket;
    return readableLength === 0 && !readableEnded && !destroyed;
  }

  #borrowReads(): void {
    const socket = this.socket;
    borrowReads(socket);
    // A socket that was paused earlier only did not flow; now reading from its handle must stop as well.
    if (socket.isPaused()) socket.pause();
    // The stream must flow to report its end.
    else socket.resume();
  }

  write(bytes: Uint8Array): void {
    if (this.#ending || bytes.length === 0) return;
    if (this.socket.destroyed) {
      this.#lastUnsent += bytes.length;
      return;
    }
    // Compared last: looking up a buffer's memory costs Bun a tenth of a small echo, and nothing is borrowed there.
    const isBorrowed = readsAreBorrowed && bytes.buffer === readBuffer.buffer;
    if (bytes.length <= firstWrite && this.queued === 0 && this.inSocket === 0) {
      const piece = this.writePiece(bytes, isBorrowed);
      this.#lastUnsent = this.unsent;
      if (this.#lastUnsent > 0) this.#waiting.writing(piece);
      return;
    }
    this.#waiting.push(bytes, isBorrowed);
    this.#send();
  }

  pause(): void {
    this.#isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.readOn();
  }

  /** @internal */
  get isReading(): boolean {
    return this.takesMore && !this.socket.destroyed;
  }

  /** @internal */
  get takesMore(): boolean {
    return !this.#isPaused && !this.isReleased;
  }

  /** @internal */
  stopSocket(): void {
    this.socket.pause();
  }

  /** @internal */
  resumeSocket(): void {
    this.socket.resume();
  }

  probe(): void {
    const { destroyed, writableEnded } = this.socket;
    if (this.peer.scheme !== 'tcp' || destroyed) return;
    // An empty write fails on a connection that was reset.
    if (!writableEnded) this.socket.write(nothing);
    else if (wasReset(this.socket))
      this.socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#send();
  }

  release(): void {
    this.#dropOutput();
    this.close();
  }

  /** Closes the socket after what the operating system has accepted. */
  protected close(): void {
    this.socket.destroy();
  }

  abort(): void {
    this.#dropOutput();
    const { destroyed, writableEnded, writableLength } = this.socket;
    // While a FIN is being sent libuv refuses to reset (EINVAL), and Node would then never close the socket.
    const finSent = writableEnded && writableLength === 0;
    // A reset frees what the kernel still buffers for a peer that reads nothing; a Unix socket has no reset.
    if (this.peer.scheme === 'tcp' && !destroyed && !finSent) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  failed(error: Error): void {
    this.#error ??= error;
  }

  ended(): void {
    if (this.ignoresEnd) return;
    const { writableEnded, writableLength } = this.socket;
    if (!endMayBeReset || this.peer.scheme !== 'tcp' || writableEnded || writableLength > 0) {
      this.receiver?.onEnd();
      return;
    }
    this.socket.write(nothing, (error) => {
      if (!error && !this.isReleased) this.receiver?.onEnd();
    });
  }

  closed(): void {
    this.deliverLast();
    this.#queue?.clear();
    this.receiver?.onClose(this.#error);
  }

  get #waiting(): WriteQueue {
    this.#queue ??= new WriteQueue(this);
    return this.#queue;
  }

  #dropOutput(): void {
    this.dropUnread();
    this.#ending = true;
    this.#queue?.clear();
    this.#lastUnsent = 0;
  }

  /** Passes the socket as much as it takes without waiting. The rest follows once that has been written. */
  #send(): void {
    for (let size = firstWrite; this.queued > 0 && this.inSocket === 0; ) {
      this.writePiece(this.#waiting.take(size), false);
      size = Math.min(size * 2, largestWrite);
    }
    if (this.inSocket === 0) this.#queue?.written();
    this.#lastUnsent = this.unsent;
    if (this.#ending && this.queued === 0 && !this.socket.writableEnded) this.socket.end();
  }

  /**
   * Passes one piece to the socket, which has nothing else to write and usually writes it at once. Otherwise
   * {@link written} must be called when that is done.
   *
   * @returns the bytes that the socket keeps meanwhile
   */
  protected writePiece(bytes: Uint8Array, isBorrowed: boolean): Uint8Array {
    const socket = this.socket;
    const piece = isBorrowed ? copyToSlab(bytes) : bytes;
    socket.write(piece);
    if (socket.writableLength === 0) {
      if (isBorrowed) freeLatest(piece);
    } else {
      // An empty write completes after the one before it. A callback only here costs less than one for each write.
      socket.write(nothing, (error) => this.written(error));
    }
    return piece;
  }

  /** Nothing that was passed to the socket is kept any more. */
  protected forgetWritten(): void {
    this.#queue?.written();
  }

  /** A piece that had to wait has been written. */
  protected written(error?: Error | null): void {
    if (error || this.socket.destroyed) return;
    this.forgetWritten();
    const before = this.#lastUnsent;
    this.#send();
    if (this.#lastUnsent < before) this.receiver?.onDrain();
  }
}
