// Subscribes to the events of a server.
import { connect, serve } from 'yodel';

const server = await serve({
  listen: 0,
  maxMessageLength: 5,
  telemetry: {
    received: (_session, batch) => console.log(`${batch.count} received`),
    closed: (session, error) => console.log(session.messagesReceived, error?.code),
  },
});

const client = await connect(server.addresses[0]);
await client.request('short');
console.log((await client.request('too long')).text);

await client.close();
await server.close();
console.log(server.counters.errors);
