// A server and a client in one program.
import { connect, serve } from 'yodel';

const server = await serve({
  listen: 'tcp://127.0.0.1:0', // port 0 picks a free port
  maxMessageLength: 512,
  handler: async (message) => `you said ${message.text}`,
});

const client = await connect(server.addresses[0]);
const replies = await Promise.all([client.request('one'), client.request('two')]);
console.log(replies.map((reply) => reply.text));

await client.close();
await server.close();
