// A server that drops about a third of its replies, the same ones on every run, and later has another fault.
import { connect, echo, Faults, serve, withFaults } from 'yodel';

const faults = new Faults(['30% drop'], { seed: 3 });
const server = await serve({ listen: 0, handler: withFaults(echo, faults) });

async function talk(...texts: string[]) {
  const client = await connect(server.addresses[0]);
  for (const text of texts) client.send(text);
  client.end();
  for await (const message of client) console.log(message.text);
}

await talk('one', 'two', 'three', 'four', 'five', 'six');
console.log(`dropped: ${faults.get('drop_reply')?.applied}`);

faults.clear();
faults.add('request /seven/ duplicate');
await talk('seven');

await server.close();
