// A room in Socket.IO as its users write it. With an adapter it is a node of several.
//
// usage: node socket-io-room.mjs PORT [redis|streams REDIS-URL]
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const [port, kind, url] = process.argv.slice(2);

async function adapter() {
  const { Redis } = await import('ioredis');
  if (kind === 'streams') {
    const { createAdapter } = await import('@socket.io/redis-streams-adapter');
    return createAdapter(new Redis(url));
  }
  const { createAdapter } = await import('@socket.io/redis-adapter');
  const publisher = new Redis(url);
  return createAdapter(publisher, publisher.duplicate());
}

const http = createServer();
const server = new Server(http, { transports: ['websocket'], ...(kind ? { adapter: await adapter() } : {}) });
server.on('connection', (socket) => {
  socket.on('hello', () => socket.emit('hello'));
  socket.on('join', () => {
    socket.join('bench');
    socket.emit('joined');
  });
  socket.on('m', (message) => server.to('bench').emit('m', message));
});
http.listen(Number(port), '127.0.0.1');
