/**
 * Makes the sockets of `node:net` read into one buffer that all of them share, instead of into a new one of 64 KiB for
 * each read: a third faster for small messages, twice as fast from 16 KiB on (`npm run bench`).
 *
 * `net.connect` offers this as the option `onread`, for its own sockets. For accepted sockets Node has no public API, so
 * this sets what that option sets. A minor release may remove these internal names: {@link canBorrowReads} therefore
 * tries them on a real connection before anything relies on them. If that fails, the public `data` event is used.
 * `YODEL_NODE_READS=public` selects the `data` event.
 */
import { once } from 'node:events';
import * as net from 'node:net';

/** The buffer that every socket reads into, valid until the next read of any socket. As large as Node's own reads. */
export const readBuffer = Buffer.allocUnsafeSlow(65_536);

/** Called with the socket as `this` and the bytes of one read, which are borrowed for the call. */
export type OnRead = (this: net.Socket, chunk: Buffer) => void;

/** The parts of a socket that are not public. */
interface InnerSocket {
  [inner: symbol]: unknown;
  readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null;
}

interface InnerNames {
  readonly buffer: symbol;
  readonly callback: symbol;
}

/** The socket's internal callback, called with the socket as `this` and the number of bytes read. */
type InnerCallback = (this: net.Socket, length: number) => boolean;

let trial: Promise<boolean> | undefined;

/** Whether {@link readsBorrowedBy} works in this process. Tried once, on a loopback connection; takes about a millisecond. */
export function canBorrowReads(): Promise<boolean> {
  trial ??= process.env.YODEL_NODE_READS === 'public' ? Promise.resolve(false) : tryBorrowing(findNames());
  return trial;
}

/**
 * Returns a function that makes a connected socket, from which nothing has been read yet, read into {@link readBuffer}
 * and pass each read to `onRead`. Use it only after {@link canBorrowReads} has resolved to true. Create it once for all sockets: a
 * closure for each would be garbage that every short connection pays for.
 */
export function readsBorrowedBy(onRead: OnRead): (socket: net.Socket) => void {
  const callback = callbackFor(onRead);
  return (socket) => borrow(names as InnerNames, socket, callback);
}

let names: InnerNames | undefined;

/** Finds the symbols under which a socket stores the option `onread`. */
function findNames(): InnerNames | undefined {
  const probe = new net.Socket({ onread: { buffer: readBuffer, callback: () => true } });
  const symbols = Object.getOwnPropertySymbols(probe);
  const buffer = symbols.find((symbol) => symbol.description === 'kBuffer');
  const callback = symbols.find((symbol) => symbol.description === 'kBufferCb');
  probe.destroy();
  names = buffer && callback && { buffer, callback };
  return names;
}

function callbackFor(onRead: OnRead): InnerCallback {
  return function (length) {
    onRead.call(this, length === readBuffer.length ? readBuffer : readBuffer.subarray(0, length));
    return true;
  };
}

function borrow(inner: InnerNames, socket: net.Socket, callback: InnerCallback): void {
  const opened = socket as unknown as InnerSocket;
  opened[inner.buffer] = readBuffer;
  opened[inner.callback] = callback;
  opened._handle?.useUserBuffer?.(readBuffer);
}

/** @internal Reads twice from an accepted socket, with a pause in between, then its end. */
export async function tryBorrowing(inner: InnerNames | undefined): Promise<boolean> {
  if (!inner) return false;
  const server = net.createServer({ allowHalfOpen: true });
  const sockets: net.Socket[] = [];
  try {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = net.connect({ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port });
    sockets.push(client);
    const [accepted] = (await once(server, 'connection')) as [net.Socket];
    sockets.push(accepted);
    return await readsAsExpected(inner, client, accepted);
  } catch {
    // Any failure means that the internal names cannot be relied on: no loopback, or a different socket implementation.
    return false;
  } finally {
    server.close();
    for (const socket of sockets) socket.on('error', () => undefined).destroy();
  }
}

async function readsAsExpected(inner: InnerNames, client: net.Socket, accepted: net.Socket): Promise<boolean> {
  if (typeof (accepted as unknown as InnerSocket)._handle?.useUserBuffer !== 'function') return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const failed = () => resolve(false);
  // Reached only on a stalled machine; the public API works there too.
  const timer = setTimeout(failed, 1000);
  let text = '';
  const onRead: OnRead = function (chunk) {
    text += chunk.buffer === readBuffer.buffer && this === accepted ? chunk.toString() : 'not borrowed';
    if (text !== 'once') return;
    accepted.pause();
    client.end(' more', () => accepted.resume());
  };
  borrow(inner, accepted, callbackFor(onRead));
  // With borrowed reads there must be no `data` event.
  accepted.on('data', failed).on('error', failed).on('close', failed);
  client.on('error', failed).write('once');
  accepted.on('end', () => resolve(text === 'once more'));
  return await promise.finally(() => clearTimeout(timer));
}
