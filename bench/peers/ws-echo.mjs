// Plain ws as its users write it: each message goes back as the kind it came as.
//
// usage: node ws-echo.mjs PORT
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) });
server.on('connection', (socket) => {
  socket.on('error', (error) => console.error('a client failed:', error.message));
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
});
server.on('listening', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
