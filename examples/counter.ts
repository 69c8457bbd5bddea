// A handler with two callbacks: it sends a greeting, counts each client's messages, and closes on "bye".
import type { HandlerObject } from 'yodel';

const counter: HandlerObject = {
  open: () => 'hello, what shall I count?',
  message(message, session) {
    if (message.text === 'bye') {
      session.close();
      return 'see you';
    }
    const count = ((session.data.count as number | undefined) ?? 0) + 1;
    session.data.count = count;
    return `${count}: ${message.text}`;
  },
};
export default counter;
