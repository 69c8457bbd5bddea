// A client that logs in and subscribes on each of its connections, before anything else is sent.
import { connect, serve, YodelError } from 'yodel';

const start = (listen: number | string) =>
  serve({
    listen,
    handler({ text }, session) {
      if (text === 'log in ada') session.data.user = 'ada';
      return session.data.user ? `${session.data.user}: ${text}` : 'who are you?';
    },
  });

const first = await start(0);
const client = await connect(first.addresses[0], {
  // The server may start later than this program.
  reconnect: { initial: true, minDelay: 20 },
  async onConnect(connection) {
    const reply = await connection.request('log in ada');
    if (reply.text !== 'ada: log in ada') throw new YodelError('APP_DENIED', reply.text);
    console.log(connection.isReconnect ? 'logged in again' : 'logged in');
  },
});
console.log((await client.request('hello')).text);

await first.close();
const second = await start(String(client.address));
await client.ready();
console.log((await client.request('hello again')).text);

await client.close();
console.log('closed because of', await client.closed);
await second.close();
