// A handler with two callbacks: it sends a greeting, counts each client's messages, and closes on "bye".
import type { HandlerObject } from 'yodel';

const counter: HandlerObject<{ count?: number }> = {
  open: () => 'hello, what shall I count?',
  message(message, session) {
    if (message.text === 'bye') {
      session.close();
      return 'see you';
    }
    session.data.count = (session.data.count ?? 0) + 1;
    return `${session.data.count}: ${message.text}`;
  },
};
export default counter;
