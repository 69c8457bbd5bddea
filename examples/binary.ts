// Binary messages, each preceded by its length in two bytes.
import { connect, length, serve } from 'yodel';

const framing = length({ bytes: 2 });
const server = await serve({ listen: 0, framing, handler: (message) => message.bytes.toReversed() });
const client = await connect(server.addresses[0], { framing });

const reply = await client.request(Uint8Array.of(1, 2, 3));
console.log(reply.bytes);

await client.close();
await server.close();
