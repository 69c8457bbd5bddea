// A transcript as a test: `transcript.check` for servers, `transcript.mockServer` for clients.
import { connect, serve, transcript } from 'yodel';

const greeting = transcript.parse('> hello {name}\n< hello yourself, {name}\n');
const server = await serve({ listen: 0, handler: transcript.mockServer(greeting) });

const client = await connect(server.addresses[0]);
console.log((await client.request('hello Ada')).text);
await client.close();

const { differences } = await transcript.check(transcript.parse('> hello Bob\n< hello Bob\n'), {
  address: server.addresses[0],
});
for (const { line, reason } of differences) console.log(`line ${line}: ${reason}`);

await server.close();
