// A proxy that prints everything that passes between a client and a server.
import { connect, proxy, serve } from 'yodel';

const server = await serve({ listen: 0, handler: (message) => message.text.toUpperCase() });
const between = await serve({
  listen: 0,
  handler: proxy(String(server.addresses[0]), {
    observe: (session) => ({
      sent: (batch) => console.log(`${session.id} > ${[...batch].join(' ')}`),
      received: (batch) => console.log(`${session.id} < ${[...batch].join(' ')}`),
    }),
  }),
});

const client = await connect(between.addresses[0]);
await client.request('hello');

await client.close();
await between.close();
await server.close();
