// Plain node:tls as its users write it. Bytes, no messages, no checks. It runs on Node and, unchanged, on Bun.
//
// usage: node node-tls.mjs PORT PEM     (one file with the key and the certificate)
import { readFileSync } from 'node:fs';
import { createServer } from 'node:tls';

const [port, file] = process.argv.slice(2);
const pem = readFileSync(file);

const server = createServer({ key: pem, cert: pem, noDelay: true }, (socket) => {
  socket.on('error', (error) => console.error('a client failed:', error.message));
  socket.pipe(socket);
});
server.on('tlsClientError', (error) => console.error('a handshake failed:', error.message));
server.listen(Number(port), '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
