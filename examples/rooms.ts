// Rooms: what a room is sent, all of its members receive.
import { type Client, connect, serve } from 'yodel';

const server = await serve({
  listen: [0, 'ws://127.0.0.1:0'],
  handler: {
    message({ text }, session) {
      const [word, room = ''] = text.split(' ');
      if (word === 'join') session.join(room);
      if (word === 'leave') session.leave(room);
      return `in ${[...session.rooms].join(' and ') || 'no room'}`;
    },
    // Called when this client has read so slowly that it missed something.
    missed: (_session, room, messages) => `you missed ${messages} messages of ${room}`,
  },
});

const [tcp, web = tcp] = server.addresses;
const [one, two] = [await connect(tcp), await connect(web)];
console.log(String(await one.request('join news')), '-', String(await two.request('join news')));
console.log(String(await two.request('join sport')));

// To all members, over whatever they are connected.
server.room('news').send('it rains');
console.log(server.room('news').size, await next(one), '-', await next(two));

// To all but one.
const [first] = server.room('news').members;
server.room('news').send('the sun shines', { except: first });
server.broadcast('to everyone, in rooms or not');
console.log(await next(one), '-', await next(two), '-', await next(two));

await Promise.all([one.close(), two.close()]);
await server.close();

async function next(client: Client): Promise<string> {
  for await (const message of client) return message.text;
  return 'it has ended';
}
