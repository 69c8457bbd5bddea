/** Coming to the rooms of a chat, leaving them, and who is there. */

import type { Reply } from '../../codec/reply.ts';
import { escapeText } from '../../format/escape.ts';
import type { Session } from '../../session/public-session.ts';
import { isPerson, personOf, refusal } from './person.ts';

/** In members. Larger rooms are not told who comes and goes: that would be a message for each pair of members. */
const largestTold = 100;

/** Besides their own. So as many people as maxConnections allows cannot use up maxRooms, which would be at the cost of others. */
const mostRooms = 8;

/** Without a wait: no message is missing between the history and what follows, and none comes twice. */
export function enter(session: Session, name: string, seesHistory: boolean, isHeard: boolean): Reply {
  const person = personOf(session);
  if (session.rooms.size > mostRooms) return `error: you are in ${mostRooms} rooms; /leave one of them first`;
  const refused = refusal(() => session.join(name, { as: person.nick }));
  if (refused !== undefined || session.ended) return refused;
  person.current = name;
  if (isHeard) person.told.add(name);
  const said = seesHistory ? session.server.room(name).history() : [];
  const history = said.length > 0 ? [`* Before you joined ${name}:`, ...said] : [];
  return [...history, tell(session, isHeard ? [name] : [], `* ${person.nick} joined ${name}`)];
}

export function leave(session: Session, argument: string): Reply {
  const person = personOf(session);
  const name = argument || (person.current ?? '');
  if (isPerson(name) || !session.rooms.has(name)) return notIn(name);
  const reply = tell(session, person.told.delete(name) ? [name] : [], `* ${person.nick} left ${name}`);
  session.leave(name);
  if (person.current === name) person.current = [...session.rooms].findLast((room) => !isPerson(room));
  return reply;
}

export function who(session: Session, argument: string): Reply {
  const name = argument || (personOf(session).current ?? '');
  if (isPerson(name) || !session.rooms.has(name)) return notIn(name);
  const room = session.server.room(name);
  const names = room.names();
  return `* In ${name}: ${names.join(', ')}${room.size > names.length ? ` and ${room.size - names.length} more` : ''}`;
}

function notIn(name: string): string {
  return `error: you are not in ${escapeText(name) || 'a room'}`;
}

/** Tells rooms who comes and goes. Returns the line as the reply to a person that does not hear it there. */
export function tell(session: Session, rooms: Iterable<string>, line: string): Reply {
  let hears = false;
  for (const name of rooms) {
    const room = session.server.room(name);
    if (room.size > largestTold) continue;
    // Of no interest for those who come later.
    room.send(line, { history: false });
    hears ||= session.rooms.has(name);
  }
  return hears ? undefined : line;
}
