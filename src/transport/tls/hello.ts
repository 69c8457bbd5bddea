/** The beginning of a TLS connection: what a server can wait for without computing anything. */
import type * as net from 'node:net';
import { disconnected } from './errors.ts';

/** A record: type, version, length, and at most 16 KiB (RFC 8446, section 5.1). */
const headerSize = 5;
const largestRecord = 16_384;
const handshakeType = 0x16;

/**
 * Waits until a client's first record has arrived, or something that is none. It stays in the socket's buffer. Until then a
 * connection costs little more than its socket; TLS takes tens of KiB.
 *
 * @throws YodelError `YODEL_TLS` if the client disconnects before
 */
export async function firstRecord(socket: net.Socket): Promise<void> {
  let read: Buffer = Buffer.alloc(0);
  await new Promise<void>((resolve, reject) => {
    const settle = (finish: () => void) => {
      socket.off('readable', readable).off('end', left).off('error', left).off('close', left);
      if (read.length > 0) socket.unshift(read);
      finish();
    };
    const left = () => settle(() => reject(disconnected()));
    const readable = () => {
      const chunk = socket.read() as Buffer | null;
      if (chunk !== null) read = read.length === 0 ? chunk : Buffer.concat([read, chunk]);
      if (isComplete(read)) settle(resolve);
    };
    socket.on('readable', readable).on('end', left).on('error', left).on('close', left);
    // What followed a PROXY header has been put back.
    if (socket.readableLength > 0) readable();
  });
}

/** Whether these bytes contain a record of a handshake, or cannot be the beginning of one. */
function isComplete(bytes: Buffer): boolean {
  if (bytes.length === 0) return false;
  if (bytes[0] !== handshakeType) return true;
  if (bytes.length < headerSize) return false;
  const size = bytes.readUInt16BE(3);
  return size > largestRecord || bytes.length >= headerSize + size;
}
