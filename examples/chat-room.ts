// A chat as a handler file. Run it with `yodel serve ./chat-room.ts --room-history 10`.
import { escapeText, type HandlerObject, type Session } from 'yodel';

const lobby = (session: Session) => session.server.room('lobby');

const chat: HandlerObject = {
  open(session) {
    for (const message of lobby(session).history()) session.send(message);
    session.join('lobby');
    return `welcome, you are number ${session.id} of ${lobby(session).size}`;
  },
  message({ text }, session) {
    // Everything is sent to everyone in the room, also to the one who wrote it. Escaped, because it comes from a stranger.
    lobby(session).send(`${session.id}: ${escapeText(text)}`);
  },
  missed: (_session, _room, messages) => `you read too slowly, and have missed ${messages} messages`,
  close(session) {
    lobby(session).send(`${session.id} has left`);
  },
};
export default chat;
