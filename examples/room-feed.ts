// A program that is no server: it stores something in a room of the servers, and prints what the room is sent. BUS is the address.
import { openRooms } from 'yodel';

const rooms = await openRooms(process.env.BUS ?? 'redis://127.0.0.1:6379', { prefix: 'example' });
const news = rooms.room('news');
await news.store('the program has started');

// All that is stored, and then what is sent: a program that runs again begins with the position that it has kept.
for await (const { message, position, missed, recovered } of news.subscribe({ since: '0' })) {
  if (message) console.log(`${position ?? 'not stored'}: ${message.text}`);
  else if (missed) console.log(`${missed} messages are missing`);
  else if (!recovered) console.log('the history has lost its beginning');
  if (message?.text === 'the end') break;
}
await rooms.close();
