/** The chat of examples/applications/chat.ts with Socket.IO: a line is the event `line`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';

const maxLine = 1000;
/** Above this, a client that does not read is disconnected. */
const maxPendingLines = 1000;
const shutdownTimeout = 15_000;
const idleTimeout = Number(process.env.IDLE_TIMEOUT ?? 5 * 60_000);

interface Events {
  line(text: string): void;
}
interface Data {
  name?: string;
}
type Client = Socket<Events, Events, Record<string, never>, Data>;

const http = createServer();
const io = new Server<Events, Events, Record<string, never>, Data>(http, { maxHttpBufferSize: 64 * 1024 });

const tell = (client: Client, line: string) => client.to('everyone').emit('line', line);
const namesHere = () => {
  const ids = io.of('/').adapter.rooms.get('everyone') ?? [];
  return [...ids].map((id) => io.sockets.sockets.get(id)?.data.name);
};

function enter(name: string, client: Client): string {
  if (!/^[\w-]{1,20}$/.test(name)) return 'error: a nickname has 1 to 20 letters, digits, - and _';
  const place = `nickname/${name.toLowerCase()}`;
  if (io.of('/').adapter.rooms.has(place)) return `error: ${name} is taken`;
  client.join([place, 'everyone']);
  client.data.name = name;
  tell(client, `* ${name} has joined`);
  return `* welcome, ${name}`;
}

function handle(text: string, client: Client): string | undefined {
  const { name } = client.data;
  if (name === undefined) return enter(text, client);
  const [, command, rest = ''] = /^\/(\w*) ?(.*)$/s.exec(text) ?? [];
  if (command === undefined) tell(client, `${name}: ${escaped(text)}`);
  else if (command === 'me') tell(client, `* ${name} ${escaped(rest)}`);
  else if (command === 'who') return `* here: ${namesHere().join(', ')}`;
  else if (command !== 'quit') return `error: there is no /${command}`;
  else {
    client.emit('line', '* bye');
    client.disconnect(true);
  }
  return undefined;
}

/** Makes characters visible that control a terminal, reorder text or hide. Emoji and some scripts need the joiners. */
function escaped(text: string): string {
  return text.replaceAll(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

io.on('connection', (client) => {
  if (io.engine.clientsCount > 10_000) return void client.disconnect(true);
  const idle = setTimeout(() => {
    client.emit('line', 'error: nothing was received or sent for too long');
    client.disconnect(true);
  }, idleTimeout);
  let pending = 0;
  client.conn.on('packetCreate', ({ type }: { readonly type: string }) => {
    if (type === 'message') idle.refresh();
    // Socket.IO itself limits nothing of what it has to send.
    if (++pending > maxPendingLines) client.conn.close(true);
  });
  client.conn.on('drain', () => {
    pending = 0;
  });
  client.on('line', (text: unknown) => {
    idle.refresh();
    let reply: string | undefined;
    if (typeof text !== 'string') reply = 'error: a line is text';
    else if (Buffer.byteLength(text) > maxLine) reply = `error: a line is longer than the limit of ${maxLine} bytes`;
    else reply = handle(text, client);
    if (reply !== undefined) client.emit('line', reply);
  });
  client.on('disconnecting', () => {
    if (client.data.name !== undefined) tell(client, `* ${client.data.name} has left`);
  });
  client.on('disconnect', () => clearTimeout(idle));
  client.emit('line', 'What is your nickname?');
});
http.listen(Number(process.env.PORT ?? 7878), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(http.address() as AddressInfo).port}`);
});

process.once('SIGTERM', () => {
  io.emit('line', '* the server stops');
  io.disconnectSockets(true);
  http.close();
  setTimeout(() => io.close(), shutdownTimeout).unref();
});
