// A chat for any client that sends lines, such as `nc localhost 7878`. Run it with `node examples/applications/chat.ts`.
// The environment variables PORT and IDLE_TIMEOUT (in milliseconds) change its settings.
import { escapeProse, type HandlerObject, type Session, serve } from 'yodel';

interface Data {
  name?: string;
}

const everyone = (session: Session<Data>) => session.server.room('everyone');

function enter(name: string, session: Session<Data>): string {
  if (!/^[\w-]{1,20}$/.test(name)) return 'error: a nickname has 1 to 20 letters, digits, - and _';
  const place = `nickname/${name.toLowerCase()}`;
  if (session.server.room(place).size > 0) return `error: ${name} is taken`;
  session.join(place);
  session.join('everyone', { as: name });
  session.data.name = name;
  everyone(session).send(`* ${name} has joined`, { except: session });
  return `* welcome, ${name}`;
}

const chat: HandlerObject<Data> = {
  open: () => 'What is your nickname?',
  message({ text }, session) {
    const { name } = session.data;
    if (name === undefined) return enter(text, session);
    const tell = (line: string) => void everyone(session).send(line, { except: session });
    const [, command, rest = ''] = /^\/(\w*) ?(.*)$/s.exec(text) ?? [];
    if (command === undefined) return tell(`${name}: ${escapeProse(text)}`);
    if (command === 'me') return tell(`* ${name} ${escapeProse(rest)}`);
    if (command === 'who') return `* here: ${everyone(session).names().join(', ')}`;
    if (command !== 'quit') return `error: there is no /${command}`;
    session.close();
    return '* bye';
  },
  missed: (_session, _room, lines) => `* you read too slowly, and missed ${lines} lines`,
  close(session) {
    if (session.data.name) everyone(session).send(`* ${session.data.name} has left`);
  },
};

const server = await serve({
  listen: Number(process.env.PORT ?? 7878),
  maxMessageLength: 1000,
  onTooLong: 'discard', // with an error reply; the client stays
  idleTimeout: Number(process.env.IDLE_TIMEOUT ?? 5 * 60_000),
  handler: chat,
});
console.log(`listening on ${server.addresses[0]}`);

process.once('SIGTERM', () => {
  server.broadcast('* the server stops');
  void server.close(); // first everything that has arrived is handled, and everything sent is received
});
