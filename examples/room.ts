// A room: what one client says, all others receive, over TCP and WebSocket.
import { connect, serve } from 'yodel';

const server = await serve({
  listen: [0, 'ws://127.0.0.1:0'],
  handler(message, session) {
    for (const other of server.sessions) if (other !== session) other.send(message);
  },
  telemetry: {
    undelivered: (session, { code }) => console.log(`not sent to a client with ${session.replyFraming.name}: ${code}`),
  },
});

const [first, second = first] = server.addresses;
const [tcp, web] = [await connect(first), await connect(second)];

web.send('two\nlines'); // a message of a WebSocket, but not a line: this delivery fails, and nothing else
web.send('hello');
for await (const message of tcp) {
  console.log(message.text);
  break;
}

await Promise.all([tcp.close(), web.close()]);
await server.close();
