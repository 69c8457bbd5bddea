// A server that drops about a third of its replies, the same ones on every run.
import { connect, echo, serve, withFaults } from 'yodel';

const server = await serve({ listen: 0, handler: withFaults(echo, ['30% drop'], { seed: 2 }) });
const client = await connect(server.addresses[0]);

for (const text of ['one', 'two', 'three', 'four', 'five', 'six']) client.send(text);
client.end();
for await (const message of client) console.log(message.text);

await server.close();
