/** The handler of the soak's chat: every message goes to all other clients. */
import type { HandlerObject, Session } from '../../src/index.ts';

const sessions = new Set<Session>();

const chat: HandlerObject = {
  open: (session) => void sessions.add(session),
  message(message, session) {
    for (const other of sessions) if (other !== session) other.send(message);
  },
  close: (session) => void sessions.delete(session),
};
export default chat;
