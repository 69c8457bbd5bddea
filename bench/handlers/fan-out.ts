// Sends each message to all other clients: `yodel serve ./fan-out.ts`.
import type { HandlerObject, Session } from 'yodel';

const everybody = new Set<Session>();

const fanOut: HandlerObject = {
  open: (session) => void everybody.add(session),
  message(message, session) {
    for (const other of everybody) if (other !== session) other.send(message);
  },
  close: (session) => void everybody.delete(session),
};
export default fanOut;
