/**
 * Makes the sockets of `node:net` read into one buffer that all of them share, instead of into a new one of 64 KiB for
 * each read: a third faster for small messages, twice as fast from 16 KiB on (`npm run bench`).
 *
 * For sockets of one's own `net.connect` offers this as the option `onread`. For those that a server accepts Node has no
 * public way, so this sets what that option sets. A minor release may take these inner names away: that is why
 * {@link readsCanBeLent} tries it on a real connection before anything relies on it, and where that fails the public
 * `data` event is used. `YODEL_NODE_READS=public` asks for the public way.
 */
import { once } from 'node:events';
import * as net from 'node:net';

/** What every socket reads into: valid only until the next read of any of them. As large as Node's own reads. */
export const readBuffer = Buffer.allocUnsafeSlow(65_536);

/** Called with the bytes of one read, which are lent. */
export type OnRead = (chunk: Buffer) => void;

/** The parts of a socket that are not public. */
interface InnerSocket {
  [inner: symbol]: unknown;
  readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null;
}

interface InnerNames {
  readonly buffer: symbol;
  readonly callback: symbol;
}

let trial: Promise<boolean> | undefined;

/** Whether {@link lendReads} works in this process. Tried once, on a connection to itself; takes about a millisecond. */
export function readsCanBeLent(): Promise<boolean> {
  trial ??= process.env.YODEL_NODE_READS === 'public' ? Promise.resolve(false) : tryIt(findNames());
  return trial;
}

/**
 * Makes a connected socket, of which nothing has been read yet, read into {@link readBuffer}. Only after
 * {@link readsCanBeLent} has said yes.
 */
export function lendReads(socket: net.Socket, onRead: OnRead): void {
  lendBy(names as InnerNames, socket, onRead);
}

let names: InnerNames | undefined;

/** The names under which a socket keeps what the option `onread` gave it. */
function findNames(): InnerNames | undefined {
  const probe = new net.Socket({ onread: { buffer: readBuffer, callback: () => true } });
  const symbols = Object.getOwnPropertySymbols(probe);
  const buffer = symbols.find((symbol) => symbol.description === 'kBuffer');
  const callback = symbols.find((symbol) => symbol.description === 'kBufferCb');
  probe.destroy();
  names = buffer && callback && { buffer, callback };
  return names;
}

function lendBy(inner: InnerNames, socket: net.Socket, onRead: OnRead): void {
  const opened = socket as unknown as InnerSocket;
  opened[inner.buffer] = readBuffer;
  opened[inner.callback] = (length: number) => {
    onRead(length === readBuffer.length ? readBuffer : readBuffer.subarray(0, length));
    return true;
  };
  opened._handle?.useUserBuffer?.(readBuffer);
}

/** @internal Reads twice from an accepted socket, with a pause between, and its end. */
export async function tryIt(inner: InnerNames | undefined): Promise<boolean> {
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
    return await readsAsItShould(inner, client, accepted);
  } catch {
    // Whatever happens here says that it cannot be relied on: no loopback, or sockets that are made otherwise.
    return false;
  } finally {
    server.close();
    for (const socket of sockets) socket.on('error', () => undefined).destroy();
  }
}

async function readsAsItShould(inner: InnerNames, client: net.Socket, accepted: net.Socket): Promise<boolean> {
  if (typeof (accepted as unknown as InnerSocket)._handle?.useUserBuffer !== 'function') return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const failed = () => resolve(false);
  // Only a machine that stands still comes here; then the public way is right too.
  const timer = setTimeout(failed, 1000);
  let text = '';
  lendBy(inner, accepted, (chunk) => {
    text += chunk.buffer === readBuffer.buffer ? chunk.toString() : 'not lent';
    if (text !== 'once') return;
    accepted.pause();
    client.end(' more', () => accepted.resume());
  });
  // Once reads are lent there must be no other data.
  accepted.on('data', failed).on('error', failed).on('close', failed);
  client.on('error', failed).write('once');
  accepted.on('end', () => resolve(text === 'once more'));
  return await promise.finally(() => clearTimeout(timer));
}
