// Several connections to a server that handles one message of each connection at a time.
import { setTimeout as delay } from 'node:timers/promises';
import { connectPool, serve } from 'yodel';

const server = await serve({
  listen: 0,
  async handler({ text }) {
    await delay(20);
    return text.toUpperCase();
  },
});

const pool = await connectPool(server.addresses[0], { size: 3, maxRequestsInFlight: 1, maxWaiting: 100 });
const words = ['one', 'two', 'three', 'four', 'five', 'six'];
const replies = await Promise.all(words.map((word) => pool.request(word)));
console.log(replies.map(({ text }) => text).join(' '));

const { connections, requests } = pool.counters;
console.log(`${requests} requests on ${connections} connections, ${pool.health.open} of them open`);
await pool.close();
await server.close();
