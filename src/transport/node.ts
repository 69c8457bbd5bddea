/** TCP and Unix sockets by `node:net`. */
import * as net from 'node:net';
import { type Address, addressAt, TcpAddress, TlsAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import { Queue } from '../queue.ts';
import { goneBefore } from './gone.ts';
import { lendReads, readBuffer, readsCanBeLent } from './lent-reads.ts';
import type { Connection, DialOptions, Listener, ListenOptions, Receiver, Security, Transport } from './transport.ts';
import { removeStaleSocket, whyNotListening } from './unix-socket.ts';

/**
 * What one write hands to the operating system at the most. `drained` can only be told when a whole write is through,
 * so this is also how finely a slow peer's progress is seen. As large as Node's own read, so that an echoed chunk is
 * one write.
 */
const largestWrite = 65_536;

/**
 * libuv before 1.52 (Node 22 and the first 24) reports a reset that comes behind unread bytes as an orderly end
 * (https://github.com/libuv/libuv/pull/4997): half a message would pass for a whole one. There a write of nothing tells,
 * for it fails on a connection that was reset. It is a system call for each end, of which newer ones are spared.
 */
const endMayBeReset = Number(process.versions.uv?.split('.')[1] ?? 0) < 52;
const nothing = Buffer.alloc(0);
/** Room for one whole read. */
const slabSize = 65_536;

/** `node:net`, with half-open connections allowed and Nagle's algorithm off. */
export const nodeTransport: Transport = { connect, listen };

/** Lent bytes are copied to here on their way out; the stream may keep them. */
let slab = Buffer.alloc(0);
let slabUsed = 0;
/** Whether {@link lendReads} may be used: known before the first connection is. */
let lends = false;

class NodeConnection implements Connection {
  readonly peer: Address;
  readonly security: Security | undefined;
  chunksAreBorrowed = false;
  readonly carriesMessages = false;
  readonly #socket: net.Socket;
  readonly #at: Address;
  /** What waits to be handed on; made when something first has to. */
  #queue: Queue<Uint8Array> | undefined;
  /** What is left of the write at the front of the queue. */
  #rest: Uint8Array | undefined;
  #queued = 0;
  /** `unsent` when it was last looked at. */
  #waiting = 0;
  #ending = false;
  #letGo = false;
  #error: Error | undefined;
  #receiver: Receiver | undefined;

  /** @param at the address that was connected to or listened at */
  constructor(socket: net.Socket, at: Address, peer: Address, security?: Security) {
    this.#socket = socket;
    this.#at = at;
    this.peer = peer;
    this.security = security;
    // From here on: between the accept and `start` an error event must find a listener, or it would end the process.
    socket.on('error', (error) => {
      this.#error ??= error;
    });
  }

  /** Asked for when somebody wants it: it is a system call, and hardly anybody does. */
  get local(): Address {
    const at = this.#at;
    if (at.scheme === 'unix') return at;
    const { localAddress, localPort } = this.#socket;
    return endOf(at, localAddress ?? at.host, localPort ?? at.port);
  }

  get unsent(): number {
    // When it breaks, the stream forgets what was under way.
    return this.#socket.destroyed ? this.#waiting : this.#queued + this.#socket.writableLength;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    const socket = this.#socket;
    // What the stream had read ahead may still come after its destroy().
    const data = (chunk: Buffer) => {
      if (!this.#letGo) receiver.onData(chunk);
    };
    // What was read before `start`, and a socket that is gone, must go the public way.
    const isUntouched = socket.readableLength === 0 && !socket.readableEnded && !socket.destroyed;
    this.chunksAreBorrowed = lends && this.peer.scheme !== 'tls' && isUntouched;
    if (this.chunksAreBorrowed) lendReads(socket, data);
    // Paused before, it only did not flow; now its reading has to be stopped.
    if (this.chunksAreBorrowed && socket.isPaused()) socket.pause();
    const ended = () => {
      if (!this.#letGo) this.#tellEnded(receiver);
    };
    const closed = () => receiver.onClose(this.#error);
    // Without lent reads this is how they come; with them it only makes the stream flow, so that it tells of its end.
    socket.on('data', data);
    // A peer that ended or broke off before `start` has had its events already.
    if (socket.readableEnded) queueMicrotask(ended);
    else socket.on('end', ended);
    if (socket.closed) queueMicrotask(closed);
    else socket.on('close', closed);
  }

  write(bytes: Uint8Array): void {
    if (this.#ending || this.#socket.destroyed || bytes.length === 0) return;
    const isLent = bytes.buffer === readBuffer.buffer;
    if (bytes.length <= largestWrite && this.#queued === 0 && this.#socket.writableLength === 0) {
      this.#hand(isLent ? copyToSlab(bytes) : bytes);
      this.#waiting = this.unsent;
      return;
    }
    this.#queue ??= new Queue();
    this.#queue.push(isLent ? Buffer.from(bytes) : bytes);
    this.#queued += bytes.length;
    this.#send();
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
    this.#send();
  }

  release(): void {
    this.#letGoOfAll();
    this.#socket.destroy();
  }

  abort(): void {
    this.#letGoOfAll();
    const { destroyed, writableEnded, writableLength } = this.#socket;
    // While a FIN is being sent libuv refuses to reset (EINVAL), and Node would then leave the socket open for ever.
    const finSent = writableEnded && writableLength === 0;
    // A reset frees what the kernel still holds for a peer that takes nothing; a Unix socket knows no reset.
    if (this.peer.scheme === 'tcp' && !destroyed && !finSent) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  #tellEnded(receiver: Receiver): void {
    const { writableEnded, writableLength } = this.#socket;
    if (!endMayBeReset || this.peer.scheme !== 'tcp' || writableEnded || writableLength > 0) return receiver.onEnd();
    this.#socket.write(nothing, (error) => {
      if (!error && !this.#letGo) receiver.onEnd();
    });
  }

  #letGoOfAll(): void {
    this.#letGo = true;
    this.#ending = true;
    this.#queue = undefined;
    this.#rest = undefined;
    this.#queued = 0;
    this.#waiting = 0;
  }

  /** Hands on as much as goes without waiting; the rest follows when that is through. */
  #send(): void {
    while (this.#queued > 0 && this.#socket.writableLength === 0) this.#hand(this.#nextPiece());
    this.#waiting = this.unsent;
    if (this.#ending && this.#queued === 0 && !this.#socket.writableEnded) this.#socket.end();
  }

  /** Hands one piece to the socket, which most often takes it at once. */
  #hand(piece: Uint8Array): void {
    const socket = this.#socket;
    socket.write(piece);
    if (socket.writableLength === 0) {
      // Nobody holds it any more: its place in the slab, if it has one, is the next one's.
      if (piece.buffer === slab.buffer) slabUsed = piece.byteOffset;
    } else {
      // A write of nothing is through when the one before it is. To ask only now costs less than to be told each time.
      socket.write(nothing, (error) => this.#sent(error));
    }
  }

  #sent(error?: Error | null): void {
    if (error || this.#socket.destroyed || this.unsent >= this.#waiting) return;
    this.#send();
    this.#receiver?.onDrain();
  }

  #nextPiece(): Uint8Array {
    const first = (this.#rest ?? this.#queue?.shift()) as Uint8Array;
    const isLarge = first.length > largestWrite;
    const piece = isLarge ? first.subarray(0, largestWrite) : first;
    this.#rest = isLarge ? first.subarray(largestWrite) : undefined;
    this.#queued -= piece.length;
    return piece;
  }
}

/** A copy that the stream may keep. */
function copyToSlab(bytes: Uint8Array): Uint8Array {
  if (bytes.length > slab.length - slabUsed) {
    slab = Buffer.allocUnsafeSlow(slabSize);
    slabUsed = 0;
  }
  const start = slabUsed;
  slabUsed += bytes.length;
  slab.set(bytes, start);
  return slab.subarray(start, slabUsed);
}

async function learnWhetherToLend(): Promise<void> {
  lends = await readsCanBeLent();
}

async function connect(address: Address, { signal }: DialOptions = {}): Promise<Connection> {
  signal?.throwIfAborted();
  const learned = learnWhetherToLend();
  const socket = net.connect({
    ...(address.scheme === 'unix' ? { path: address.path } : { host: address.host, port: address.port }),
    allowHalfOpen: true,
    noDelay: true,
  });
  const connected = await whenConnected(socket, 'connect', address, signal);
  await learned;
  if (signal?.aborted) {
    connected.abort();
    throw signal.reason;
  }
  return connected;
}

/**
 * The connection of a socket that is being connected, once it is.
 *
 * @param event how the socket says that it is
 * @throws YodelError; the signal's reason when it is aborted
 */
export async function whenConnected(
  socket: net.Socket,
  event: 'connect' | 'secureConnect',
  address: Address,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  return await new Promise<Connection>((resolve, reject) => {
    const settle = (finish: () => void) => {
      signal?.removeEventListener('abort', aborted);
      socket.off('error', failed).off(event, opened);
      finish();
    };
    const opened = () => settle(() => resolve(connectionOf(socket, address)));
    const failed = (error: Error) => settle(() => reject(systemError(`cannot connect to ${address}`, error)));
    const aborted = () =>
      settle(() => {
        socket.on('error', ignore).destroy();
        reject(signal?.reason);
      });
    socket.on(event, opened).on('error', failed);
    signal?.addEventListener('abort', aborted);
  });
}

async function listen(address: Address, options: ListenOptions): Promise<Listener> {
  if (options.descriptor === undefined) await removeStaleSocket(address, connect);
  await learnWhetherToLend();
  return await listenBy(address, options, (socket) => options.accept(connectionOf(socket, address)));
}

/**
 * Listens by `node:net`.
 *
 * @throws YodelError as {@link Transport.listen}
 */
export async function listenBy(
  address: Address,
  options: Pick<ListenOptions, 'backlog' | 'failed' | 'descriptor' | 'reusePort'> & {
    readonly pauseOnConnect?: boolean;
  },
  came: (socket: net.Socket) => void,
): Promise<Listener> {
  const { backlog, failed, descriptor, reusePort, pauseOnConnect = false } = options;
  const cameAlive = (socket: net.Socket) => {
    if (address.scheme === 'unix' || socket.remoteAddress !== undefined) return came(socket);
    socket.on('error', ignore).destroy();
    failed(goneBefore(address));
  };
  const listening = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect }, cameAlive);
  const fresh =
    address.scheme === 'unix' ? { path: address.path } : { host: address.host, port: address.port, reusePort };
  const at = descriptor === undefined ? { ...fresh, backlog } : { fd: descriptor };
  await new Promise<void>((resolve, reject) => {
    listening.once('error', reject).listen(at, () => {
      listening.off('error', reject).on('error', failed);
      resolve();
    });
  }).catch((error: unknown) => {
    if (descriptor === undefined) throw whyNotListening(address, error);
    throw systemError(`cannot listen on ${address} with descriptor ${descriptor}`, error);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      // Node calls back when the last connection has gone, but the address is free as soon as the handle is closed.
      listening.close();
      setImmediate(resolve);
    });
  try {
    const found = listening.address();
    return {
      address: descriptor === undefined ? foundAt(address, found) : passedAt(address, found, descriptor),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type Found = ReturnType<net.Server['address']>;

function foundAt(address: Address, found: Found): Address {
  return address.scheme === 'unix'
    ? address
    : addressAt(address, (found as net.AddressInfo).address, (found as net.AddressInfo).port);
}

/**
 * Where a descriptor listens that somebody else has made: it must be where it was said to be, or clients would meet what is
 * not meant for them. A Unix socket does not tell its path, so there the kind has to do.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
function passedAt(address: Address, found: Found, descriptor: number): Address {
  const port = (found as net.AddressInfo | null)?.port;
  if (
    address.scheme === 'unix' ? port === undefined : port === address.port || (port !== undefined && address.port === 0)
  )
    return foundAt(address, found);
  const where = port === undefined ? 'is a Unix socket' : `listens on ${foundText(found as net.AddressInfo)}`;
  throw new YodelError('YODEL_INVALID_OPTION', `descriptor ${descriptor} ${where}, not on ${address}`);
}

function foundText({ address, port }: net.AddressInfo): string {
  return String(new TcpAddress(address, port));
}

/** The connection of a socket that was accepted at `address`, or has connected to it. */
export function connectionOf(
  socket: net.Socket,
  address: Address,
  peer: Address = peerOf(socket, address),
  security?: Security,
): Connection {
  return new NodeConnection(socket, address, peer, security);
}

/** Who is at the other end. A peer that is gone already has no address any more. */
export function peerOf({ remoteAddress, remotePort }: net.Socket, address: Address): Address {
  return address.scheme === 'unix' ? address : endOf(address, remoteAddress ?? 'unknown', remotePort ?? 0);
}

/** The address of one end of a socket that has led to `at`. */
export function endOf(at: Address, host: string, port: number): Address {
  const end = TcpAddress.of(host, port);
  return at.scheme === 'tls' || at.scheme === 'wss' ? new TlsAddress(end.host, end.port) : end;
}

function ignore(): void {}
