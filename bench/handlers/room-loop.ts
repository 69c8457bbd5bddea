// The same without rooms: each message is sent to each member, one after another.
import type { HandlerObject, Session } from 'yodel';

const members = new Set<Session>();

const loop: HandlerObject = {
  message(message, session) {
    const { text } = message;
    if (text === 'hello') return text;
    if (text !== 'join') {
      for (const member of members) member.send(message);
      return undefined;
    }
    members.add(session);
    return 'joined';
  },
  close: (session) => void members.delete(session),
};
export default loop;
