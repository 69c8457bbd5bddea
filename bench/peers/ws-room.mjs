// A room in plain ws as its users write it.
//
// usage: node ws-room.mjs PORT
import { WebSocketServer } from 'ws';

const members = new Set();
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) });
server.on('connection', (socket) => {
  socket.on('error', (error) => console.error('a client failed:', error.message));
  socket.on('close', () => members.delete(socket));
  socket.on('message', (message) => {
    const text = message.toString();
    if (text === 'hello') socket.send('hello');
    else if (text === 'join') {
      members.add(socket);
      socket.send('joined');
    } else for (const member of members) member.send(text);
  });
});
server.on('listening', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
