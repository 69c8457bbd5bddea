// A client that reconnects to its server.
import { connect, serve, YodelError } from 'yodel';

const first = await serve({ listen: 0 });
const [address] = first.addresses;
const client = await connect(address, {
  reconnect: { minDelay: 20, maxAttempts: 50 },
  onStateChange: (state) => console.log(state),
});

await first.close(); // the server stops …
try {
  await client.request('are you there?');
} catch (error) {
  if (!(error instanceof YodelError)) throw error;
  console.log(error.code); // … and requests fail instead of being sent twice
}

const second = await serve({ listen: address }); // … and starts again
await client.ready();
console.log((await client.request('hello again')).text);

await client.close();
await second.close();
