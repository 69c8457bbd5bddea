/** TCP and Unix sockets by `node:net`. Bun has the same module. */
import { lstatSync, unlinkSync } from 'node:fs';
import * as net from 'node:net';
import { type Address, TcpAddress, type UnixAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import type { Connection, Listener, ListenOptions, Receiver, Transport } from './transport.ts';

/**
 * What one write hands to the operating system at the most. `drained` can only be told when a whole write is through,
 * so this is also how finely a slow peer's progress is seen. As large as Node's own read, so that an echoed chunk is
 * one write.
 */
const largestWrite = 65_536;

/** `node:net`, with half-open connections allowed and Nagle's algorithm off. */
export const nodeTransport: Transport = { connect, listen };

class NodeConnection implements Connection {
  readonly local: Address;
  readonly peer: Address;
  readonly lendsChunks = false;
  readonly #socket: net.Socket;
  readonly #queue: Uint8Array[] = [];
  #queued = 0;
  /** `unsent` when it was last looked at. */
  #waiting = 0;
  #ending = false;
  #error: Error | undefined;
  #receiver: Receiver | undefined;

  constructor(socket: net.Socket, local: Address, peer: Address) {
    this.#socket = socket;
    this.local = local;
    this.peer = peer;
    // From here on: between the accept and `start` an error event must find a listener, or it would end the process.
    socket.on('error', (error) => {
      this.#error ??= error;
    });
  }

  get unsent(): number {
    return this.#queued + this.#socket.writableLength;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => receiver.onData(chunk));
    socket.on('end', () => receiver.onEnd());
    const closed = () => receiver.onClose(this.#error);
    // A connection that broke before `start` has had its 'close' already.
    if (socket.closed) queueMicrotask(closed);
    else socket.on('close', closed);
  }

  write(bytes: Uint8Array): void {
    if (this.#ending || this.#socket.destroyed || bytes.length === 0) return;
    this.#queue.push(bytes);
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
    this.#socket.destroy();
  }

  abort(): void {
    this.#ending = true;
    this.#queue.length = 0;
    this.#queued = 0;
    // A reset frees what the kernel still holds for a peer that takes nothing; a Unix socket knows no reset.
    if (this.peer.scheme === 'tcp' && !this.#socket.destroyed) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** Hands on as much as goes without waiting; the rest follows when that is through. */
  #send(): void {
    while (this.#queue.length > 0 && this.#socket.writableLength === 0)
      this.#socket.write(this.#nextPiece(), this.#sent);
    this.#waiting = this.unsent;
    if (this.#ending && this.#queue.length === 0 && !this.#socket.writableEnded) this.#socket.end();
  }

  /** Called for every write, also for those that went through at once: `unsent` tells whether anything has gone since. */
  readonly #sent = (error?: Error | null): void => {
    if (error || this.#socket.destroyed || this.unsent >= this.#waiting) return;
    this.#send();
    this.#receiver?.onDrain();
  };

  #nextPiece(): Uint8Array {
    const first = this.#queue[0] as Uint8Array;
    const piece = first.length <= largestWrite ? first : first.subarray(0, largestWrite);
    if (piece === first) this.#queue.shift();
    else this.#queue[0] = first.subarray(largestWrite);
    this.#queued -= piece.length;
    return piece;
  }
}

function connect(address: Address, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Connection> {
  signal?.throwIfAborted();
  const socket = net.connect({
    ...(address.scheme === 'unix' ? { path: address.path } : { host: address.host, port: address.port }),
    allowHalfOpen: true,
    noDelay: true,
  });
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      signal?.removeEventListener('abort', aborted);
      socket.off('error', failed).off('connect', connected);
      finish();
    };
    const connected = () => settle(() => resolve(connectionOf(socket, address)));
    const failed = (error: Error) => settle(() => reject(systemError(`cannot connect to ${address}`, error)));
    const aborted = () =>
      settle(() => {
        socket.on('error', ignore).destroy();
        reject(signal?.reason);
      });
    socket.on('connect', connected).on('error', failed);
    signal?.addEventListener('abort', aborted);
  });
}

async function listen(address: Address, options: ListenOptions): Promise<Listener> {
  if (address.scheme === 'unix') await removeStaleSocket(address);
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    options.accept(connectionOf(socket, address));
  });
  const { backlog } = options;
  const at =
    address.scheme === 'unix' ? { path: address.path, backlog } : { host: address.host, port: address.port, backlog };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(at, () => {
      server.off('error', reject).on('error', options.failed);
      resolve();
    });
  }).catch((error: unknown) => {
    throw systemError(`cannot listen on ${address}`, error);
  });
  return {
    address: address.scheme === 'unix' ? address : tcpAddressOf(server.address() as net.AddressInfo),
    close: () =>
      new Promise((resolve) => {
        // Node calls back when the last connection has gone, but the address is free as soon as the handle is closed.
        server.close();
        setImmediate(resolve);
      }),
  };
}

/**
 * A server that was killed leaves its socket file behind, and nobody can listen there again. The file goes when nobody
 * answers at it; any other kind of file stays, and so does a socket that somebody listens at.
 */
async function removeStaleSocket(address: UnixAddress): Promise<void> {
  if (!isSocketFile(address.path)) return;
  try {
    (await connect(address)).abort();
  } catch (error) {
    if (error instanceof YodelError && error.code === 'YODEL_CONNECTION_REFUSED') unlinkSync(address.path);
    // Any other failure is for `listen` to meet and to report.
  }
}

function isSocketFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function connectionOf(socket: net.Socket, address: Address): Connection {
  if (address.scheme === 'unix') return new NodeConnection(socket, address, address);
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  // A peer that is gone already has no address any more.
  const local = new TcpAddress(localAddress ?? address.host, localPort ?? address.port);
  const peer = new TcpAddress(plainAddress(remoteAddress ?? 'unknown'), remotePort ?? 0);
  return new NodeConnection(socket, local, peer);
}

function tcpAddressOf({ address, port }: net.AddressInfo): TcpAddress {
  return new TcpAddress(address, port);
}

/** An IPv4 peer of a dual-stack listener comes as ::ffff:192.0.2.1; people know it as 192.0.2.1. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

function ignore(): void {}
