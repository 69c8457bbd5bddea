/** Who is in a chat, by session and by nickname. */
import type { Session, SessionServer } from '../../session/handler.ts';

/** Someone in the chat. */
export interface Guest {
  readonly session: Session;
  nick: string;
  /** The room that plain text goes to. */
  current: string | undefined;
  /** The rooms that it has entered. */
  readonly rooms: Set<string>;
}

/** The guests of a server. Their nicknames are unique in its process. */
export class Guests {
  readonly #bySession = new Map<number, Guest>();
  readonly #byNick = new Map<string, Guest>();

  /** A new guest, who is called `guest-` and the number of the session. */
  enter(session: Session): Guest {
    const guest: Guest = { session, nick: `guest-${session.id}`, current: undefined, rooms: new Set() };
    this.#bySession.set(session.id, guest);
    this.#byNick.set(guest.nick, guest);
    return guest;
  }

  leave({ session, nick }: Guest): void {
    this.#bySession.delete(session.id);
    this.#byNick.delete(keyOf(nick));
  }

  of({ id }: { readonly id: number }): Guest | undefined {
    return this.#bySession.get(id);
  }

  named(nick: string): Guest | undefined {
    return this.#byNick.get(keyOf(nick));
  }

  /** Changes a nickname. Returns the reason if that is not possible. */
  rename(guest: Guest, name: string): string | undefined {
    // Compatible forms of a letter are one letter, so that names which look alike are not two.
    const nick = name.slice(0, longestNick + 1).normalize('NFKC');
    if (!validNick.test(nick)) return `a name has 1 to ${longestNick} letters, digits, or - _ . in between`;
    if (/^guest-/i.test(nick)) return 'names that begin with guest- are given by the server';
    const other = this.named(nick);
    if (other && other !== guest) return `${nick} is somebody else`;
    this.#byNick.delete(keyOf(guest.nick));
    guest.nick = nick;
    this.#byNick.set(keyOf(nick), guest);
    return undefined;
  }
}

const longestNick = 32;
const validNick = /^(?!.*\p{Default_Ignorable_Code_Point})[\p{L}\p{N}][\p{L}\p{M}\p{N}_.-]{0,31}$/u;

function keyOf(nick: string): string {
  return nick.normalize('NFKC').toLowerCase();
}

const all = new WeakMap<SessionServer, Guests>();

/** The guests of a session's server. They stay when the server's handler is replaced. */
export function guestsOf({ server }: Session): Guests {
  let guests = all.get(server);
  if (!guests) {
    guests = new Guests();
    all.set(server, guests);
  }
  return guests;
}
