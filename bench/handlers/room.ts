// A room of all clients that say `join`: `yodel serve ./room.ts`.
import type { HandlerObject } from 'yodel';

const room: HandlerObject = {
  message(message, session) {
    const { text } = message;
    if (text === 'hello') return text;
    if (text !== 'join') return void session.server.room('bench').send(message);
    session.join('bench');
    return 'joined';
  },
};
export default room;
