/**
 * Reads what a connection has received when it breaks while this side writes. Node destroys such a socket at once, with the
 * bytes that the kernel has received for it: the reason why a server refuses the rest of what it is sent, for example.
 */
import { readSync } from 'node:fs';
import type * as net from 'node:net';

/** The parts of a socket that are not public. `_destroy` is what every stream implements. */
interface InnerSocket {
  readonly _handle?: { readonly fd?: number } | null;
  _destroy(error: Error | null, destroyed: (error?: Error | null) => void): void;
}

const pieceSize = 65_536;

/** From now on, before an error destroys the socket, passes on what was received. Not while it is paused. */
export function readBeforeBreaking(socket: net.Socket, received: (chunk: Buffer) => void): void {
  const inner = socket as unknown as InnerSocket;
  const { _destroy } = inner;
  inner._destroy = function (error, destroyed) {
    if (error && !socket.isPaused() && !socket.readableEnded) {
      for (const chunk of unread(inner._handle?.fd ?? -1)) received(chunk);
    }
    _destroy.call(this, error, destroyed);
  };
}

/** What can be read from a descriptor without waiting. */
function* unread(fd: number): Generator<Buffer> {
  while (fd >= 0) {
    const piece = Buffer.allocUnsafe(pieceSize);
    const size = readNow(fd, piece);
    if (size === 0) return;
    yield piece.subarray(0, size);
  }
}

/** Returns 0 at the end, and when nothing has arrived or nothing more will. */
function readNow(fd: number, piece: Buffer): number {
  try {
    return readSync(fd, piece);
  } catch {
    // EAGAIN, or the reset.
    return 0;
  }
}
