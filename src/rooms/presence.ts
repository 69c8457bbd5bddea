/** The members of this process that others see by name, or that are alone in their room. */
import type { Participant } from '../session/membership.ts';
import type { MemberName } from './bus.ts';
import { mostNames } from './name.ts';

/** See the top of the file. Memory is used only for such members. */
export class Presence {
  /** By room, in the order in which they joined. */
  readonly #rooms = new Map<string, Map<Participant, MemberName>>();

  /** A member has this name from now on. It keeps its place. */
  set(room: string, participant: Participant, name: string, alone: boolean): void {
    let all = this.#rooms.get(room);
    if (!all) {
      all = new Map();
      this.#rooms.set(room, all);
    }
    const known = all.get(participant);
    all.set(participant, { name, since: known?.since ?? Date.now(), alone: known?.alone ?? alone });
  }

  /** A member has left. Returns whether it was alone. */
  delete(room: string, participant: Participant): boolean {
    const all = this.#rooms.get(room);
    const isAlone = all?.get(participant)?.alone === true;
    if (all?.delete(participant) && all.size === 0) this.#rooms.delete(room);
    return isAlone;
  }

  /** At most `limit` members, those first that joined first. */
  namesIn(room: string, limit = mostNames): MemberName[] {
    const names: MemberName[] = [];
    for (const present of this.#rooms.get(room)?.values() ?? []) {
      if (names.length >= limit) break;
      names.push(present);
    }
    return names;
  }

  /** The member that is alone in the room, if a member of another process was there before. */
  beaten(room: string, names: readonly MemberName[], isNodeFirst: boolean): Participant | undefined {
    for (const [participant, { since, alone }] of this.#rooms.get(room) ?? [])
      if (alone && names.some((other) => other.since < since || (other.since === since && isNodeFirst)))
        return participant;
    return undefined;
  }
}
