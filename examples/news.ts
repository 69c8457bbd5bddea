// A server that sends messages on its own, and a client that reads them.
import { connect, serve } from 'yodel';

const server = await serve({ listen: 0, handler: { open: (session) => ['first', `you are ${session.id}`] } });
const client = await connect(server.addresses[0]);

for (const session of server.sessions) session.send('last');
for await (const message of client) {
  console.log(message.text);
  if (message.text === 'last') break;
}

await client.close();
await server.close();
