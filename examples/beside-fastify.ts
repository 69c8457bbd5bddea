// WebSockets beside an application of Fastify, on its port.
import { fastify } from 'fastify';
import { connect, serve } from 'yodel';

const app = fastify({ forceCloseConnections: true });
app.get('/', async () => 'the page');

const chat = await serve({ listen: false, upgradePath: '/chat', handler: ({ text }) => text.toUpperCase() });
app.server.on('upgrade', (request, socket, head) => {
  if (chat.handleUpgrade(request, socket, head)) return;
  socket.on('error', () => socket.destroy()); // without it, a client that breaks off ends the process
  socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
});
// Fastify waits for all connections: the sessions end first.
app.addHook('preClose', () => chat.close());

const address = await app.listen({ host: '127.0.0.1', port: 0 });
console.log(await (await fetch(address)).text());
const client = await connect(`${address.replace('http', 'ws')}/chat`);
console.log((await client.request('hello')).text);
await client.close();
await app.close();
