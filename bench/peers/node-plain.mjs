// Plain node:net as its users write it. Bytes, no messages, no checks.
//
// usage: node node-plain.mjs PORT [echo|fan-out]
import { createServer } from 'node:net';

const [port, mode] = process.argv.slice(2);
const clients = new Set();

const echo = (socket) => socket.pipe(socket);

function fanOut(socket) {
  clients.add(socket);
  socket.on('close', () => clients.delete(socket));
  socket.on('data', (chunk) => {
    for (const client of clients) if (client !== socket) client.write(chunk);
  });
}

const serve = mode === 'fan-out' ? fanOut : echo;
createServer({ noDelay: true }, (socket) => {
  socket.on('error', (error) => console.error('a client failed:', error.message));
  serve(socket);
}).listen(port, '127.0.0.1');
