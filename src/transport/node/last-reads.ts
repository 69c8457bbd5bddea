/**
 * Reads what a connection has received when a write fails, because the peer has closed or reset it. Node destroys such a socket at
 * once, with the bytes that the kernel has received for it: the reason why a server refuses the rest of what it is sent, or the
 * last messages of a client that does not wait for replies.
 */
import { readSync } from 'node:fs';
import * as net from 'node:net';

/** A connection, as far as its last bytes are concerned. */
export interface LastReceiver {
  /** Whether its receiver takes more: it is neither paused nor released. */
  readonly takesMore: boolean;
  received(chunk: Buffer): void;
}

/** The parts of a socket that are not public. `_destroy` is what every stream implements. */
interface InnerSocket {
  readonly _handle?: { readonly fd?: number } | null;
  _destroy(this: net.Socket, error: Error | null, destroyed: (error?: Error | null) => void): void;
}

const pieceSize = 65_536;
const piece = Buffer.allocUnsafeSlow(pieceSize);
const { _destroy } = net.Socket.prototype as unknown as InnerSocket;

/**
 * Returns a function that makes a socket pass on what was received before an error destroys it. Create it once for all sockets.
 *
 * @param connectionOf finds the connection of a socket, unless it is closed
 */
export function lastReadsBy(
  connectionOf: (socket: net.Socket) => LastReceiver | undefined,
): (socket: net.Socket) => void {
  const destroy: InnerSocket['_destroy'] = function (error, destroyed) {
    const connection = connectionOf(this);
    // If it was a read that failed, nothing is left to read.
    if (connection && error && (error as NodeJS.ErrnoException).syscall !== 'read') readLast(this, connection);
    _destroy.call(this, error, destroyed);
  };
  return (socket) => {
    (socket as unknown as InnerSocket)._destroy = destroy;
  };
}

function readLast(socket: net.Socket, connection: LastReceiver): void {
  if (socket.readableEnded) return;
  const fd = (socket as unknown as InnerSocket)._handle?.fd ?? -1;
  while (connection.takesMore) {
    const size = readNow(fd);
    if (size === 0) return;
    // A copy: the piece may be needed for another connection before this one is done with it.
    connection.received(Buffer.from(piece.subarray(0, size)));
  }
}

/** Reads what can be read from a descriptor without waiting. Returns 0 at the end, and when nothing has arrived or nothing more will. */
function readNow(fd: number): number {
  if (fd < 0) return 0;
  try {
    return readSync(fd, piece);
  } catch {
    // EAGAIN, or the reset.
    return 0;
  }
}
