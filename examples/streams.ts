// Sends and receives many messages, as fast as the other end takes them.
import { connect, serve } from 'yodel';

const server = await serve({ listen: 0, handler: ({ text }) => text.toUpperCase() });
const client = await connect(server.addresses[0]);

async function* words() {
  for (let count = 1; count <= 50_000; count++) yield `word ${count}`;
}
const sending = client.sendAll(words());
let received = 0;
for await (const message of client) {
  received++;
  if (message.text === 'WORD 50000') break;
}
console.log(await sending, 'sent,', received, 'received');

// The same with web streams, which connect to others.
const reading = client.readable.getReader();
await ReadableStream.from(['a', 'b']).pipeTo(client.writable, { preventClose: true });
for (let count = 0; count < 2; count++) console.log((await reading.read()).value?.text);

await client.close();
await server.close();
