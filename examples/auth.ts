// A session must log in before anything else. The handler sees only the messages of those who have.
import { compose, type Handler, type Middleware, YodelError } from 'yodel';

interface Data {
  user?: string;
  failures?: number;
}

const passwords = new Map([['ada', 'lovelace']]);

const login: Middleware<Data> = {
  open: () => 'who are you?',
  message(message, { data }, next) {
    if (data.user !== undefined) return next();
    const [, user = '', password] = /^login (\w+) (\w+)$/.exec(message.text) ?? [];
    if (password !== undefined && passwords.get(user) === password) {
      data.user = user;
      return `welcome, ${user}`;
    }
    data.failures = (data.failures ?? 0) + 1;
    if (data.failures < 3) return 'error: log in with: login NAME PASSWORD';
    // Ends the session. The log has the code and the text; the client receives only the reply.
    throw new YodelError('APP_LOGIN_FAILED', `${data.failures} wrong logins`, { reply: 'too many wrong logins' });
  },
  // A handler that never saw the session is not told that it ends.
  end: ({ data }, next) => (data.user === undefined ? undefined : next()),
};

const orders: Handler<Data> = (message, { data }) => `${data.user} orders: ${message.text}`;

export default compose(login, orders);
