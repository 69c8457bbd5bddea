// WebSockets beside an application of Hono, on its port. On Bun, too, with the server of node:http.
import type { AddressInfo } from 'node:net';
import { serve as serveHttp } from '@hono/node-server';
import { Hono } from 'hono';
import { connect, serve } from 'yodel';

const app = new Hono().get('/', (context) => context.text('the page'));
const chat = await serve({ listen: false, upgradePath: '/chat', handler: ({ text }) => text.toUpperCase() });

const web = await new Promise<ReturnType<typeof serveHttp>>((resolve) => {
  const started = serveHttp({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, () => resolve(started));
});
web.on('upgrade', (request, socket, head) => {
  if (chat.handleUpgrade(request, socket, head)) return;
  socket.on('error', () => socket.destroy()); // without it, a client that breaks off ends the process
  socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
});

const { port } = web.address() as AddressInfo;
console.log(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text());
const client = await connect(`ws://127.0.0.1:${port}/chat`);
console.log((await client.request('hello')).text);
await client.close();
await chat.close();
web.close();
