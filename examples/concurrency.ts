// Looks up two keys of a client at a time. The replies leave in the order of the requests, also if a later one is ready earlier.
import { setTimeout as delay } from 'node:timers/promises';
import { connect, serve } from 'yodel';

const ages = new Map([
  ['ada', 36],
  ['alan', 41],
  ['grace', 85],
]);

/** As a database that needs longer for shorter names. */
async function lookUp(name: string): Promise<number | string> {
  await delay(60 / name.length);
  return ages.get(name) ?? 'unknown';
}

const server = await serve({
  listen: 0,
  concurrency: 2,
  handler: async ({ text }) => `${text}: ${await lookUp(text)}`,
});
const client = await connect(server.addresses[0]);
const replies = await Promise.all(['ada', 'grace', 'nobody'].map((name) => client.request(name)));
console.log(replies.map(({ text }) => text).join(', '));
await client.close();
await server.close();
