// A room in Socket.IO as its users write it.
//
// usage: node socket-io-room.mjs PORT
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const server = new Server(http, { transports: ['websocket'] });
server.on('connection', (socket) => {
  socket.on('hello', () => socket.emit('hello'));
  socket.on('join', () => {
    socket.join('bench');
    socket.emit('joined');
  });
  socket.on('m', (message) => server.to('bench').emit('m', message));
});
http.listen(Number(process.argv[2]), '127.0.0.1');
