/** TCP and Unix sockets by `node:net`. Bun has the same module. */
import { existsSync, lstatSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import { dirname } from 'node:path';
import { type Address, TcpAddress, type UnixAddress } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import type { Connection, Listener, ListenOptions, Receiver, Transport } from './transport.ts';

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
  #letGo = false;
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
    const ended = () => {
      if (!this.#letGo) this.#tellEnded(receiver);
    };
    const closed = () => receiver.onClose(this.#error);
    socket.on('data', data);
    // A peer that ended or broke off before `start` has had its events already.
    if (socket.readableEnded) queueMicrotask(ended);
    else socket.on('end', ended);
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
    this.#letGoOfAll();
    this.#socket.destroy();
  }

  abort(): void {
    this.#letGoOfAll();
    // A reset frees what the kernel still holds for a peer that takes nothing; a Unix socket knows no reset.
    if (this.peer.scheme === 'tcp' && !this.#socket.destroyed) this.#socket.resetAndDestroy();
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
    this.#queue.length = 0;
    this.#queued = 0;
    this.#waiting = 0;
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
    throw systemError(`cannot listen on ${address}`, noFolderFor(address) ?? error);
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
    if (error instanceof YodelError && error.code === 'YODEL_CONNECTION_REFUSED') removeFile(address);
    // Any other failure is for `listen` to meet and to report.
  }
}

function removeFile(address: UnixAddress): void {
  try {
    rmSync(address.path, { force: true });
  } catch (error) {
    throw systemError(`cannot listen on ${address}, nor remove the socket file of a server that is gone`, error);
  }
}

function isSocketFile(path: string): boolean {
  try {
    return lstatSync(path).isSocket();
  } catch {
    // There is nothing, or nothing that may be seen: `listen` will meet the same.
    return false;
  }
}

/** Node (by libuv) says "permission denied" where the socket's folder does not exist. */
function noFolderFor(address: Address): Error | undefined {
  if (address.scheme !== 'unix' || existsSync(dirname(address.path))) return undefined;
  return Object.assign(new Error(`no such folder: ${dirname(address.path)}`), { code: 'ENOENT' });
}

function connectionOf(socket: net.Socket, address: Address): Connection {
  if (address.scheme === 'unix') return new NodeConnection(socket, address, address);
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  // A peer that is gone already has no address any more.
  const local = new TcpAddress(plainAddress(localAddress ?? address.host), localPort ?? address.port);
  const peer = new TcpAddress(plainAddress(remoteAddress ?? 'unknown'), remotePort ?? 0);
  return new NodeConnection(socket, local, peer);
}

function tcpAddressOf({ address, port }: net.AddressInfo): TcpAddress {
  return new TcpAddress(address, port);
}

/** An IPv4 connection of a dual-stack listener has ::ffff:192.0.2.1 at its ends; people know it as 192.0.2.1. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

function ignore(): void {}
