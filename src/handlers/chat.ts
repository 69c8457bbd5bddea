/** A chat: nicknames, rooms, and messages to one person. It uses only what every handler can use. */

import type { Reply } from '../codec/reply.ts';
import { escapeProse, escapeText } from '../format/escape.ts';
import type { HandlerObject } from '../session/handler.ts';
import type { RoomAction } from '../session/joining.ts';
import type { Session } from '../session/public-session.ts';
import { type ChatOptions, checkChatOptions, withMessages } from './chat/options.ts';
import { begins, isPerson, nameGuest, personOf, readNick, refusal, rename, roomOf } from './chat/person.ts';
import { enter, leave, tell, who } from './chat/visits.ts';

const help = [
  '/join ROOM      enter a room; what you write goes there from now on',
  '/leave [ROOM]   leave a room',
  '/who [ROOM]     who is in a room',
  '/nick NAME      change your name',
  '/me ACTION      say what you do',
  '/msg NAME TEXT  write to one person',
  '/quit           leave the chat',
  '//TEXT          write a line that begins with a slash',
];
/** In characters. Escapes make it at most six times as long, which is less than the default of `maxMessageLength`. */
const longestText = 4096;

/**
 * A chat for people with any client that sends lines, and for web pages. A line goes to the members of a room, as
 * `[lobby] ada: hello`. Lines that begin with a slash are commands; `/help` lists them. Nothing that is sent can control the
 * terminal of another.
 */
export function chat(options: ChatOptions = {}): HandlerObject {
  checkChatOptions(options);
  const { authorize, room: first = 'lobby' } = options;
  const may = async (room: string, action: RoomAction, session: Session) =>
    (await authorize?.(room, action, session)) === true;

  async function join(session: Session, name: string): Promise<Reply> {
    if (name === '') return 'error: write /join ROOM';
    if (isPerson(name) || /\s/u.test(name) || escapeText(name) !== name)
      return 'error: the name of a room has only visible characters, no spaces, and no @ at its beginning';
    const refused = refusal(() => void session.server.room(name));
    if (refused !== undefined) return refused;
    if (!(await may(name, 'join', session))) return `error: you may not join ${name}`;
    if (!session.rooms.has(name))
      return enter(session, name, await may(name, 'history', session), await may(name, 'send', session));
    personOf(session).current = name;
    return `* What you write goes to ${name}`;
  }

  async function say(session: Session, line: (nick: string) => string): Promise<Reply> {
    const { current } = personOf(session);
    if (current === undefined) return 'error: you are in no room; /join ROOM';
    if (!(await may(current, 'send', session))) return `error: you may not write in ${current}`;
    if (!session.rooms.has(current)) return `error: you are no longer in ${current}`;
    session.server.room(current).send(`[${current}] ${line(personOf(session).nick)}`, { from: session });
  }

  async function whisper(session: Session, argument: string): Promise<Reply> {
    const [, name = '', text = ''] = /^(\S*) ?(.*)$/su.exec(argument) ?? [];
    if (text === '') return 'error: write /msg NAME TEXT';
    const nick = readNick(name);
    if (nick === undefined) return `error: nobody here is called ${escapeText(name) || 'that'}`;
    const room = session.server.room(roomOf(nick));
    if (!(await may(room.name, 'send', session))) return `error: you may not write to ${nick}`;
    if (room.size === 0) return `error: nobody here is called ${nick}`;
    const line = `(private) ${personOf(session).nick} to ${room.names(1)[0] ?? nick}: ${escapeProse(text)}`;
    if (!session.rooms.has(room.name)) room.send(line);
    return line;
  }

  async function nickname(session: Session, name: string): Promise<Reply> {
    const nick = readNick(name);
    if (nick === undefined) return 'error: a name has 1 to 30 letters, digits, or - _ . in between';
    if (/^guest-/i.test(nick)) return 'error: names that begin with guest- are given by the server';
    if (!(await may(roomOf(nick), 'join', session))) return `error: you may not be called ${nick}`;
    if (session.ended) return;
    const before = personOf(session).nick;
    if (nick === before) return `* You are ${nick} already`;
    const reason = refusal(() => rename(session, nick));
    if (reason !== undefined) return reason;
    // Who may not write in a room cannot do so with a name either.
    const told: string[] = [];
    for (const room of personOf(session).told) if (await may(room, 'send', session)) told.push(room);
    return tell(session, told, `* ${before} is now ${nick}`);
  }

  async function begin(session: Session): Promise<Reply> {
    begins(session);
    const refused = nameGuest(session);
    session.send(`* You are ${personOf(session).nick}; /help lists the commands`);
    if (refused !== undefined) session.send(refused);
    if (await may(first, 'join', session)) return join(session, first);
  }

  const commands = new Map<string, (session: Session, argument: string) => Reply | Promise<Reply>>([
    ['join', join],
    ['leave', leave],
    ['who', who],
    ['nick', nickname],
    [
      'me',
      (session, text) => (text ? say(session, (nick) => `* ${nick} ${escapeProse(text)}`) : 'error: write /me ACTION'),
    ],
    ['msg', whisper],
    ['help', () => help],
    ['quit', (session) => session.close()],
  ]);

  return {
    ...withMessages,
    ...(authorize && { authorize }),
    sequential: true,
    open: begin,
    message({ text }, session) {
      // A session that was here before this handler.
      if (!personOf(session)) return begin(session);
      if (text === '') return;
      if (text.length > longestText) return `error: a message has at most ${longestText} characters`;
      const [, name, argument = ''] = /^\/([^/\s]\S*)(?: (.*))?$/su.exec(text) ?? [];
      if (name === undefined) return say(session, (nick) => `${nick}: ${escapeProse(text.replace(/^\/\//, '/'))}`);
      const command = commands.get(name);
      return command ? command(session, argument) : `error: there is no /${escapeText(name)}; /help lists the commands`;
    },
    missed(_session, room, messages) {
      const what = messages === 1 ? '1 message' : `${messages} messages`;
      return `* You missed ${what}${isPerson(room) ? ' to you' : room && ` of ${room}`}`;
    },
    taken(session) {
      const { nick: before, told } = personOf(session);
      const [refused, { nick }] = [nameGuest(session), personOf(session)];
      tell(session, told, `* ${before} is now ${nick}`);
      return [`* Somebody else was called ${before} at the same moment, and first: you are ${nick} now`, refused];
    },
    close(session) {
      for (const room of personOf(session)?.told ?? [])
        tell(session, [room], `* ${personOf(session).nick} left ${room}`);
    },
  };
}
