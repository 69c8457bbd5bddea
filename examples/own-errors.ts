// A room that only some may write to: the peer learns that it may not, the log learns who tried.
import { connect, serve, YodelError } from 'yodel';

const writers = new Set(['ana']);

const server = await serve({
  listen: 0,
  handler({ text }) {
    const [name = '', message] = text.split(': ');
    if (!writers.has(name)) {
      throw new YodelError('APP_DENIED', `${name} may not write to #ops`, { reply: 'you may not write here' });
    }
    return `${name} wrote ${message}`;
  },
  telemetry: { closed: (_, error) => error && console.log(`log: ${error.code}: ${error.message}`) },
});

const client = await connect(server.addresses[0]);
console.log((await client.request('ana: hello')).text);
console.log((await client.request('bob: hello')).text);
await client.close();
await server.close();
