// A session must log in before anything else, within ten seconds. The handler sees only the messages of those who have.
import { compose, type Handler, type Middleware, type Timer, YodelError } from 'yodel';

interface Data {
  user?: string;
  failures?: number;
  timer?: Timer;
}

const passwords = new Map([['ada', 'lovelace']]);

const login: Middleware<Data> = {
  open(session) {
    session.data.timer = session.after(10_000, () => {
      throw new YodelError('APP_LOGIN_TIMEOUT', 'no login within 10 s', { reply: 'log in faster' });
    });
    return 'who are you?';
  },
  message(message, { data }, next) {
    if (data.user !== undefined) return next();
    const [, user = '', password] = /^login (\w+) (\w+)$/.exec(message.text) ?? [];
    if (password !== undefined && passwords.get(user) === password) {
      data.user = user;
      data.timer?.cancel();
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
