// WebSockets on the port of an HTTP server, for those who have logged in.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, serve } from 'yodel';

/** Who has logged in, by the value of the cookie `session`. */
const users = new Map([['s3cret', 'ada']]);

const chat = await serve({
  listen: false,
  upgradePath: '/chat',
  data: () => ({ user: 'nobody' }),
  authorizeUpgrade(request) {
    // Browsers send their cookies; a program may have a token in the URL or in a header.
    const token = request.cookie('session') ?? request.url.searchParams.get('token');
    const user = users.get(token ?? '');
    return user === undefined ? { status: 401, reason: 'log in first' } : { data: { user } };
  },
  handler: ({ text }, { data }) => `${data.user}: ${text}`,
});

const web = createServer((_, response) => response.end('the page'));
web.on('upgrade', (request, socket, head) => {
  // What is not for the chat, others may serve.
  if (chat.handleUpgrade(request, socket, head)) return;
  socket.on('error', () => socket.destroy()); // without it, a client that breaks off ends the process
  socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
});
await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));

const { port } = web.address() as AddressInfo;
console.log(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text());
const client = await connect(`ws://127.0.0.1:${port}/chat?token=s3cret`);
console.log((await client.request('hello')).text);
await connect(`ws://127.0.0.1:${port}/chat`).catch(({ code }) => console.log(code));
await client.close();
// First the sessions, then the server whose connections they have.
await chat.close();
web.close();
