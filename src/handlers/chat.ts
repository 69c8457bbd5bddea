/** A chat: nicknames, rooms, and messages to one person. It uses only what every handler can use. */
import { YodelError } from '../errors.ts';
import { escapeProse, escapeText } from '../format/escape.ts';
import { formatPlural } from '../format/figures.ts';
import type { HandlerObject, Reply, Room, RoomAction, Session } from '../session/handler.ts';
import { commands, tell } from './chat/commands.ts';
import { type Guest, guestsOf } from './chat/guests.ts';

/** How a {@link chat} behaves. */
export interface ChatOptions {
  /** Whether a session may join a room, send to it, and receive its history. Default: it may do nothing of that. */
  readonly authorize?: HandlerObject['authorize'] | undefined;
  /** The room that everyone is in at the start, where `authorize` allows it. Default: `lobby`. */
  readonly room?: string | undefined;
}

/** In characters. Escapes make it at most six times as long, which is less than the default of `maxMessageLength`. */
const longestText = 4096;

/**
 * A chat for people with any client that sends lines, and for web pages. A line goes to the members of a room, as
 * `[lobby] ada: hello`. Lines that begin with a slash are commands; `/help` lists them. Nothing that is sent can control the
 * terminal of another.
 */
export function chat({ authorize, room: first = 'lobby' }: ChatOptions = {}): HandlerObject {
  const may = async (room: string, action: RoomAction, { session }: Guest) =>
    (await authorize?.(room, action, session)) === true;

  const join = async (name: string, guest: Guest): Promise<Reply> => {
    const { session, nick } = guest;
    if (/\s/u.test(name) || escapeText(name) !== name)
      return 'error: the name of a room has only visible characters, and no spaces';
    const room = session.server.room(name);
    if (!(await may(name, 'join', guest))) return `error: you may not join ${name}`;
    if (session.rooms.has(name)) {
      guest.current = name;
      return `* What you write goes to ${name}`;
    }
    const seesHistory = await may(name, 'history', guest);
    // From here on without a wait: no message is missing between the history and what follows, and none comes twice.
    session.join(name);
    if (session.ended) return;
    guest.rooms.add(name);
    guest.current = name;
    if (seesHistory) showHistory(room, session);
    tell(room, `* ${nick} joined ${name}`);
  };

  const say = async (guest: Guest, line: (room: string) => string): Promise<Reply> => {
    const { current, session } = guest;
    if (current === undefined) return 'error: you are in no room; /join ROOM';
    if (!(await may(current, 'send', guest))) return `error: you may not write in ${current}`;
    if (!session.rooms.has(current)) return `error: you are no longer in ${current}`;
    session.server.room(current).send(line(current), { from: session });
  };

  const run = (guest: Guest, text: string): Reply | Promise<Reply> => {
    const [, command, rest = ''] = /^\/([^/\s]\S*)(?: (.*))?$/su.exec(text) ?? [];
    if (text.length > longestText) return `error: a message has at most ${longestText} characters`;
    if (text === '') return;
    if (command === undefined)
      return say(guest, (room) => `[${room}] ${guest.nick}: ${escapeProse(text.replace(/^\/\//, '/'))}`);
    if (command === 'me') return say(guest, (room) => `[${room}] * ${guest.nick} ${escapeProse(rest)}`);
    if (command === 'join') return join(rest, guest);
    const call = commands.get(command);
    return call ? call(rest, guest) : `error: there is no /${escapeText(command)}; /help lists the commands`;
  };

  return {
    ...(authorize && { authorize }),
    async open(session) {
      const guest = guestsOf(session).enter(session);
      session.send(`* You are ${guest.nick}; /help lists the commands`);
      if (await may(first, 'join', guest)) return await orError(() => join(first, guest));
    },
    message({ text }, session) {
      const guest = guestsOf(session).of(session);
      return guest && orError(() => run(guest, text));
    },
    missed: (_session, room, messages) => `* You missed ${formatPlural(messages, 'message')}${room && ` of ${room}`}`,
    close(session) {
      const guest = guestsOf(session).of(session);
      if (!guest) return;
      guestsOf(session).leave(guest);
      for (const room of guest.rooms) tell(session.server.room(room), `* ${guest.nick} left ${room}`);
    },
  };
}

/** Shows what was said. Who came and went is no longer of interest. */
function showHistory(room: Room, session: Session): void {
  const said = room.history().filter((message) => !message.text.startsWith('* '));
  if (said.length > 0) session.send(`* Before you joined ${room.name}:`);
  for (const message of said) session.send(message);
}

/** What a room refuses is an answer, and no reason to close the session. */
async function orError(call: () => Reply | Promise<Reply>): Promise<Reply> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof YodelError && /_ROOMS?$|_JOIN_RATE$/.test(error.code)) return `error: ${error.message}`;
    throw error;
  }
}
