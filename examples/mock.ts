// Tests a client: a mock plays the server of a transcript, and says what the client did otherwise.
import { connect, serve, transcript } from 'yodel';

const mock = transcript.mockServer(
  transcript.parse('> hello {name}\n< hello yourself, {name}\n> bye\n', 'talk.transcript'),
);
const server = await serve({ listen: 0, handler: mock });

// The client under test, which forgets to say goodbye.
const client = await connect(server.addresses[0]);
await client.request('hello Ada');
await client.close();

const { isCompleted, problems } = await mock.done;
console.log(isCompleted);
for (const { message } of problems) console.log(message);
await server.close();
