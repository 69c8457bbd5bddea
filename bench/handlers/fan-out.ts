// Sends each message to all other clients: `yodel serve ./fan-out.ts`.
import type { HandlerObject, Session } from 'yodel';

const sessions = new Set<Session>();

const fanOut: HandlerObject = {
  open: (session) => void sessions.add(session),
  message(message, session) {
    for (const other of sessions) if (other !== session) other.send(message);
  },
  close: (session) => void sessions.delete(session),
};
export default fanOut;
