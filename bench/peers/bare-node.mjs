// Shows what yodel's structure costs: the least code on node:net that frames, validates and echoes lines, with reads into one
// buffer that all sockets share, back-pressure and half-close.
//
// usage: node bare-node.mjs PORT echo LONGEST
import { createServer, Socket } from 'node:net';
import { Lines } from './bare-lines.mjs';

const [port, , longest] = process.argv.slice(2).map(Number);
const highWaterMark = Math.max(65_536, longest);
const readBuffer = Buffer.allocUnsafeSlow(65_536);

// Sockets that a server accepts have no public way to read into a given buffer: this sets what the option `onread` of net.connect sets.
const probe = new Socket({ onread: { buffer: readBuffer, callback: () => true } });
const [kBuffer, kBufferCb] = ['kBuffer', 'kBufferCb'].map((name) =>
  Object.getOwnPropertySymbols(probe).find(({ description }) => description === name),
);

let slab = Buffer.alloc(0);
let slabUsed = 0;

/** Copies bytes of the read buffer before they are written, because the stream may buffer them. */
function copied(bytes) {
  if (bytes.length > slab.length - slabUsed) {
    slab = Buffer.allocUnsafeSlow(65_536);
    slabUsed = 0;
  }
  slab.set(bytes, slabUsed);
  slabUsed += bytes.length;
  return slab.subarray(slabUsed - bytes.length, slabUsed);
}

function send(socket, bytes) {
  if (bytes.length === 0) return true;
  const isBorrowed = bytes.buffer === readBuffer.buffer;
  const piece = isBorrowed ? copied(bytes) : bytes;
  socket.write(piece);
  const isTaken = socket.writableLength === 0;
  if (isBorrowed && isTaken) slabUsed = piece.byteOffset;
  if (socket.writableLength > highWaterMark) {
    socket.pause();
    socket.once('drain', () => socket.resume());
  }
  return isTaken;
}

function serve(socket) {
  const lines = new Lines(longest);
  const received = (chunk) => {
    try {
      const echo = lines.take(chunk);
      if (echo) lines.sent(send(socket, echo));
    } catch (error) {
      send(socket, error.echo);
      socket.end(`error: ${error.message}\n`);
    }
  };
  socket[kBuffer] = readBuffer;
  socket[kBufferCb] = (length) => {
    if (!socket.writableEnded) received(length === readBuffer.length ? readBuffer : readBuffer.subarray(0, length));
    return true;
  };
  socket._handle.useUserBuffer(readBuffer);
  socket.on('data', () => undefined);
  socket.on('error', () => undefined);
  socket.on('end', () => {
    if (socket.writableEnded) return;
    try {
      socket.end(lines.end());
    } catch (error) {
      socket.end(`error: ${error.message}\n`);
    }
  });
}

const server = createServer({ noDelay: true, allowHalfOpen: true }, serve);
server.listen(port, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
