/** The commands of a chat that need no permission. */
import { escapeProse, escapeText } from '../../format/escape.ts';
import type { Reply, Room } from '../../session/handler.ts';
import { type Guest, guestsOf } from './guests.ts';

const help = [
  '/join ROOM      enter a room; what you write goes to the room that you entered last',
  '/leave [ROOM]   leave a room',
  '/who [ROOM]     who is in a room',
  '/nick NAME      change your name',
  '/me ACTION      say what you do',
  '/msg NAME TEXT  write to one person',
  '/quit           leave the chat',
  '//TEXT          write a line that begins with a slash',
];

/** In members. */
const largestTold = 100;
const mostNames = 100;
/** What somebody may leave unread, in bytes, before nobody can write to them in private. */
const maxUnread = 65_536;

function leave(argument: string, guest: Guest): Reply {
  const { session, rooms } = guest;
  const name = argument || (guest.current ?? '');
  if (!session.rooms.has(name)) return notIn(name);
  tell(session.server.room(name), `* ${guest.nick} left ${name}`);
  session.leave(name);
  rooms.delete(name);
  if (guest.current === name) guest.current = [...rooms].at(-1);
}

function notIn(name: string): Reply {
  return `error: you are not in ${escapeText(name) || 'a room'}`;
}

/** Tells a room who comes and goes. Not a large one: that would be a message for each pair of members. Returns whether it did. */
export function tell(room: Room, line: string): boolean {
  if (room.size > largestTold) return false;
  room.send(line);
  return true;
}

function who(argument: string, { session, current = '' }: Guest): Reply {
  const name = argument || current;
  if (!session.rooms.has(name)) return notIn(name);
  const { members, size } = session.server.room(name);
  const nicks = members.slice(0, mostNames).flatMap((member) => guestsOf(session).of(member)?.nick ?? []);
  return `* In ${name}: ${nicks.join(', ')}${size > nicks.length ? ` and ${size - nicks.length} more` : ''}`;
}

function rename(name: string, guest: Guest): Reply {
  const { session, nick } = guest;
  const reason = guestsOf(session).rename(guest, name);
  if (reason !== undefined) return `error: ${reason}`;
  const line = `* ${nick} is now ${guest.nick}`;
  if (session.rooms.size === 0) return line;
  const told = [...session.rooms].map((room) => tell(session.server.room(room), line));
  return told.includes(true) ? undefined : line;
}

function whisper(argument: string, { session, nick }: Guest): Reply {
  const [, name = '', text = ''] = /^(\S*) ?(.*)$/su.exec(argument) ?? [];
  const to = guestsOf(session).named(name);
  if (text === '') return 'error: write /msg NAME TEXT';
  if (!to) return `error: nobody here is called ${escapeText(name) || 'that'}`;
  if (to.session.unsent > maxUnread) return `error: ${to.nick} reads too slowly`;
  const line = `(private) ${nick} to ${to.nick}: ${escapeProse(text)}`;
  if (to.session.id !== session.id) to.session.send(line);
  return line;
}

/** By name. A map, because everything in an object has a name that somebody might type. */
export const commands = new Map<string, (argument: string, guest: Guest) => Reply>([
  ['leave', leave],
  ['who', who],
  ['nick', rename],
  ['msg', whisper],
  ['help', () => help],
  ['quit', (_, { session }) => session.close()],
]);
