/** The members of a room that are behind: they continue from its ring, and what they miss is counted and told. */

import type { Participant } from '../../session/membership.ts';
import type { Wire } from '../../session/wire.ts';
import type { RoomContext } from '../context.ts';
import { type Behind, type Member, recipientOf, writeShare } from '../member.ts';
import { publicNameOf } from '../name.ts';
import type { Part } from '../pending.ts';
import type { Segment } from '../segment.ts';
import { fellBehind } from './fell-behind.ts';
import { type Loss, Ring } from './ring.ts';

/** See the top of the file. */
export class SlowMembers {
  readonly #room: string;
  readonly #context: RoomContext;
  readonly #ring: Ring;
  /** By the ids of their sessions. */
  readonly #members = new Map<number, Member>();
  /** Which frames they need. */
  readonly #wires = new Map<Wire, number>();
  readonly #wake: () => void;

  /** @param wake called when they need less than before */
  constructor(room: string, context: RoomContext, wake: () => void) {
    this.#room = room;
    this.#context = context;
    this.#wake = wake;
    this.#ring = new Ring(context.memoryLimit, {
      dropFirst: () => this.#dropFirst(),
      replaced: (segment, position) => this.#replaced(segment, position),
      isBehind: (id) => this.#members.has(id),
    });
  }

  /** Bytes that they have not received. */
  get buffered(): number {
    return this.#ring.buffered;
  }

  /** A member falls behind: it continues with what is kept from now on. */
  add(member: Member, wire: Wire): void {
    member.behind = { wire, position: this.#ring.enter(), missed: 0 };
    this.#members.set(member.participant.session.id, member);
    this.#wires.set(wire, (this.#wires.get(wire) ?? 0) + 1);
    member.participant.fellBehind(member);
  }

  /** Keeps what the other members have received, and drops what is too much. */
  keep({ segment, messages }: Part): void {
    if (this.#members.size === 0) return;
    this.#ring.add(segment, messages, this.#wires);
    const { roomBuffer } = this.#context.limits;
    while (this.#ring.buffered > roomBuffer) this.#dropFirst();
  }

  /** Messages were lost before they could be kept. */
  lost(loss: Loss): void {
    // Those that have not received all before learn it when they have.
    const isMarked = this.#ring.lost(loss);
    for (const { behind, since } of this.#members.values()) {
      const isNext = !isMarked || behind?.position === this.#ring.end;
      if (behind && isNext && since <= loss.until) behind.missed += loss.messages;
    }
  }

  /** Its peer has read something: the member is told what it missed and receives the next segment, or is behind no more. */
  continue(member: Member): void {
    const { behind, participant } = member;
    if (!behind) return this.tellUntold(member);
    if (behind.missed > 0) this.#tellMissed(member, behind);
    // The handler's `missed` may have ended the membership.
    if (member.behind !== behind || participant.hasEnded) return;
    if (behind.position === this.#ring.end) this.remove(member);
    else this.#writeNext(member, behind);
    this.#wake();
  }

  /** A member leaves, and receives everything that is kept for it. */
  deliverRest(member: Member, behind: Behind): void {
    while (!member.participant.hasEnded) {
      if (behind.missed > 0) this.#tellMissed(member, behind);
      else if (behind.position < this.#ring.end) this.#writeNext(member, behind);
      else return;
    }
  }

  /** A member is behind no more: it has received everything, or has left. */
  remove(member: Member): void {
    const { behind, participant } = member;
    participant.caughtUp(member);
    // It left before it could be told.
    const untold = member.untold + (behind?.missed ?? 0);
    if (untold > 0) this.#count(participant, untold);
    if (!behind) return;
    member.behind = undefined;
    this.#members.delete(participant.session.id);
    const others = (this.#wires.get(behind.wire) ?? 1) - 1;
    if (others > 0) this.#wires.set(behind.wire, others);
    else this.#wires.delete(behind.wire);
    this.#ring.leave(behind.position);
    this.#wake();
  }

  /** A member that is sent each message by itself misses some: it is told once it can receive more. */
  missesUntold(member: Member, messages: number): void {
    if (member.untold === 0) member.participant.fellBehind(member);
    member.untold += messages;
    if (this.#context.limits.roomBehind === 'close') this.#close(member, member.untold);
  }

  tellUntold(member: Member): void {
    const { untold, participant } = member;
    if (untold === 0 || participant.hasEnded) return;
    member.untold = 0;
    participant.caughtUp(member);
    this.missed(member, untold);
  }

  /** A member missed messages: counts them, and tells it. Its session ends if the handler has no `missed`. */
  missed(member: Member, messages: number): void {
    this.#count(member.participant, messages);
    if (!member.participant.missed(publicNameOf(this.#room), messages)) this.#close(member, messages);
  }

  /** Writes the next segment of the ring. */
  #writeNext(member: Member, behind: Behind): void {
    const { position } = behind;
    const segment = this.#ring.at(position);
    this.#advance(member, behind);
    const { participant } = member;
    if (segment) writeShare(participant, segment, recipientOf(member, behind.wire), this.#context.telemetry);
  }

  #advance(member: Member, behind: Behind): void {
    for (const { messages, until } of this.#ring.lossesAfter(behind.position))
      if (member.since <= until) behind.missed += messages;
    // Before the ring frees the segment, which the memory limit may answer by dropping others.
    this.#ring.advance(behind.position++);
  }

  /** Drops the first segment of the ring: members that have not received it miss its messages. */
  #dropFirst(): void {
    const { first } = this.#ring;
    const segment = this.#ring.at(first);
    const { limits, telemetry } = this.#context;
    for (const member of this.#members.values()) {
      const behind = member.behind as Behind;
      if (behind.position > first) continue;
      const share = segment?.shareOf(recipientOf(member, behind.wire));
      behind.missed += share?.messages ?? 0;
      telemetry.counters.roomMessagesReplaced += share?.replaced ?? 0;
      this.#advance(member, behind);
      if (behind.missed > 0 && limits.roomBehind === 'close') this.#close(member, behind.missed);
    }
    this.#ring.passed(first);
    this.#wake();
  }

  #replaced(segment: Segment, position: number): void {
    const { counters } = this.#context.telemetry;
    for (const member of this.#members.values()) {
      const behind = member.behind as Behind;
      if (behind.position <= position)
        counters.roomMessagesReplaced += segment.shareOf(recipientOf(member, behind.wire)).replaced;
    }
  }

  #tellMissed(member: Member, behind: Behind): void {
    const { missed } = behind;
    behind.missed = 0;
    this.missed(member, missed);
  }

  #count({ session }: Participant, messages: number): void {
    const { telemetry } = this.#context;
    telemetry.counters.roomMessagesMissed += messages;
    if (telemetry.watched) telemetry.emit('missed', session, publicNameOf(this.#room), messages);
  }

  #close({ participant }: Member, messages: number): void {
    participant.session.close(fellBehind(this.#room, messages));
  }
}
