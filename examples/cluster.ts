// A chat on several servers, which share their rooms through Redis or NATS: BUS is the address. Run it more than once.
import { chat, openBus, serve } from 'yodel';

const bus = await openBus(process.env.BUS ?? 'redis://127.0.0.1:6379', { prefix: 'example' });
const server = await serve({ listen: 0, handler: chat({ authorize: () => true }), bus });
console.log(`listening on ${server.addresses[0]}`);
