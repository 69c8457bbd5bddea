/**
 * Who is in a chat. A person is a room as well, which they are alone in: `@` and the nickname in small letters. So no two have the
 * same nickname, in whatever processes of the server they are, and private messages go to that room.
 */
import { YodelError } from '../../errors.ts';
import type { Session } from '../../session/public-session.ts';

/** What a chat knows of a session. */
export interface Person {
  nick: string;
  /** The room that plain text goes to. */
  current: string | undefined;
  /** The rooms that were told that it came. */
  readonly told: Set<string>;
}

/** What is invisible, or grows out of its line, is no name. */
const validNick = /^(?!.*(?:\p{Default_Ignorable_Code_Point}|\p{M}{4}))[\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]{0,29}$/u;

/** Not in the session's data, which is the program's that uses the handler. */
const people = new WeakMap<Session, Person>();

/** A session begins, or began before this handler: it has no nickname yet. */
export function begins(session: Session): void {
  people.set(session, { nick: '', current: undefined, told: new Set() });
}

export function personOf(session: Session): Person {
  return people.get(session) as Person;
}

export function isPerson(room: string): boolean {
  return room.startsWith('@');
}

/** The room of whoever has this nickname. */
export function roomOf(nick: string): string {
  return `@${nick.toLowerCase()}`;
}

/** What somebody has typed as a nickname; undefined if it is none. Compatible forms of a letter are one letter. */
export function readNick(text: string): string | undefined {
  const nick = text.length > 64 ? '' : text.normalize('NFKC');
  return validNick.test(nick) ? nick : undefined;
}

/** Someone has come, or has lost their nickname: gives them one that nobody has. Returns what they should know, if anything. */
export function nameGuest(session: Session): string | undefined {
  const { server } = session;
  let nick = `guest-${session.id}`;
  for (let most = 1000; server.room(roomOf(nick)).size > 0; most *= 2)
    nick = `guest-${Math.ceil(Math.random() * most)}`;
  called(session, nick);
  return refusal(() => session.join(roomOf(nick), { as: nick, alone: true }));
}

/** Gives somebody the nickname that they want. Returns the reason if they cannot have it. */
export function rename(session: Session, nick: string): string | undefined {
  const [before, own] = [roomOf(personOf(session).nick), session.server.room(roomOf(nick))];
  if (own.size > 0 && own.name !== before) return `error: ${nick} is somebody else`;
  session.join(own.name, { as: nick, alone: true });
  if (own.name !== before) session.leave(before);
  called(session, nick);
  return undefined;
}

/** All rooms know the session by this name from now on. */
function called(session: Session, nick: string): void {
  personOf(session).nick = nick;
  for (const room of session.rooms) if (!isPerson(room)) session.join(room, { as: nick });
}

/** What rooms refuse is an answer, and no reason to close the session. Returns it, or what the call returns. */
export function refusal(call: () => string | undefined | void): string | undefined {
  try {
    return call() ?? undefined;
  } catch (error) {
    if (error instanceof YodelError && /_ROOMS?$|_JOIN_RATE$|_TAKEN$/.test(error.code))
      return `error: ${error.message}`;
    throw error;
  }
}
