// Shows what yodel's structure costs: the least code on Bun.listen that frames, validates and echoes lines, with back-pressure
// and half-close.
//
// usage: bun bare-bun.mjs PORT echo LONGEST
import { Lines } from './bare-lines.mjs';

const [port, , longest] = process.argv.slice(2).map(Number);

/** The state of one client. */
class Client {
  lines = new Lines(longest);
  unsent = [];
  isEnding = false;
}

/** Returns whether everything was accepted at once. Bun drops the rest, so it is buffered, and the client is not read meanwhile. */
function send(socket, bytes) {
  const client = socket.data;
  const taken = client.unsent.length > 0 ? 0 : Math.max(0, socket.write(bytes));
  if (taken === bytes.length) return true;
  client.unsent.push(bytes.subarray(taken));
  socket.pause();
  return false;
}

function end(socket) {
  socket.data.isEnding = true;
  if (socket.data.unsent.length === 0) socket.shutdown();
}

function fail(socket, error) {
  send(socket, error.echo);
  send(socket, Buffer.from(`error: ${error.message}\n`));
  end(socket);
}

const listener = Bun.listen({
  hostname: '127.0.0.1',
  port,
  allowHalfOpen: true,
  socket: {
    open(socket) {
      socket.data = new Client();
    },
    data(socket, chunk) {
      const { lines, isEnding } = socket.data;
      if (isEnding) return;
      try {
        const echo = lines.take(chunk);
        if (echo) lines.sent(send(socket, echo));
      } catch (error) {
        fail(socket, error);
      }
    },
    drain(socket) {
      const client = socket.data;
      const { unsent } = client;
      if (unsent.length === 0) return;
      client.unsent = [];
      for (const bytes of unsent) send(socket, bytes);
      if (client.unsent.length > 0) return;
      if (client.isEnding) socket.shutdown();
      socket.resume();
    },
    end(socket) {
      if (socket.data.isEnding) return;
      try {
        const last = socket.data.lines.end();
        if (last.length > 0) send(socket, last);
        end(socket);
      } catch (error) {
        fail(socket, error);
      }
    },
    close() {},
    error: (_socket, error) => console.error('a client failed:', error.message),
  },
});
console.log(`listening on 127.0.0.1:${listener.port}`);
