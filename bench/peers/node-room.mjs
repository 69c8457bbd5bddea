// A room in plain node:net: what arrives in one turn of the event loop is joined, and written to each member once.
//
// usage: node node-room.mjs PORT
import { createServer } from 'node:net';

const members = new Set();
let pending = [];

function deliver() {
  const bytes = Buffer.from(`${pending.join('\n')}\n`);
  pending = [];
  for (const member of members) member.write(bytes);
}

function take(socket, line) {
  if (line === 'hello') socket.write('hello\n');
  else if (line === 'join') {
    members.add(socket);
    socket.write('joined\n');
  } else if (pending.push(line) === 1) setImmediate(deliver);
}

createServer({ noDelay: true }, (socket) => {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('error', (error) => console.error('a client failed:', error.message));
  socket.on('close', () => members.delete(socket));
  socket.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) take(socket, line);
  });
}).listen(process.argv[2], '127.0.0.1');
