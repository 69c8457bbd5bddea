// Plain Bun.listen. Bytes, no messages, no checks. Bun discards what `write` does not accept, so the program
// buffers it; there is no back-pressure towards a client that sends and does not read.
//
// usage: bun bun-plain.mjs PORT [echo|fan-out] [LONGEST] [PEM]     (LONGEST is ignored; PEM: TLS, with key and certificate in one file)
const [port, mode, , file] = process.argv.slice(2);
const pem = file && Bun.file(file);
const clients = new Set();

function send(socket, bytes) {
  if (socket.data.unsent) return void socket.data.unsent.push(Buffer.from(bytes));
  const taken = socket.write(bytes);
  if (taken >= 0 && taken < bytes.length) socket.data.unsent = [Buffer.from(bytes.subarray(taken))];
}

function sendRest(socket) {
  const rest = socket.data.unsent;
  socket.data.unsent = undefined;
  for (const bytes of rest ?? []) send(socket, bytes);
}

function fanOut(socket, chunk) {
  for (const client of clients) if (client !== socket) send(client, chunk);
}

Bun.listen({
  hostname: '127.0.0.1',
  port: Number(port),
  ...(pem ? { tls: { key: pem, cert: pem } } : {}),
  socket: {
    open(socket) {
      socket.data = { unsent: undefined };
      if (mode === 'fan-out') clients.add(socket);
    },
    data: mode === 'fan-out' ? fanOut : send,
    drain: sendRest,
    close: (socket) => void clients.delete(socket),
    error: (_socket, error) => console.error('a client failed:', error.message),
  },
});
