/** A room in this process: its members, what it is sent in this turn, and what members have not received. */
import type { Message } from '../framing/message.ts';
import type { ServerLimits } from '../options.ts';
import type { RoomSendOptions, Session } from '../session/handler.ts';
import type { Participant, RoomSession } from '../session/membership.ts';
import type { MemoryLimit } from '../session/memory-limit.ts';
import type { Wire } from '../session/wire.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { fellBehind } from './fell-behind.ts';
import { History } from './history.ts';
import { publicNameOf } from './name.ts';
import { Ring } from './ring.ts';
import { lastingOf, partsOf, type Recipient, type RoomMessage, Segment, type Share } from './segment.ts';

/** A session in a room. */
export interface Member {
  readonly participant: Participant;
  readonly room: LocalRoom;
  /** Its place among the members. */
  index: number;
  /** The first message of this turn that it receives. */
  from: number;
  /** Where it continues, if it is behind. */
  behind: Behind | undefined;
  /** Messages that it missed and has not been told, if it is sent each message by itself. */
  untold: number;
}

/** How far behind a member is. */
interface Behind {
  readonly wire: Wire;
  /** The position of its next segment in the ring. */
  position: number;
  /** Messages that were dropped before that, and that it has not been told. */
  missed: number;
}

/** What the rooms of a server share. */
export interface RoomContext {
  limits: Pick<ServerLimits, 'roomBuffer' | 'roomBehind' | 'roomHistory'>;
  readonly telemetry: Telemetry;
  readonly memoryLimit: MemoryLimit;
}

/** See the top of the file. */
export class LocalRoom {
  readonly name: string;
  readonly history: History;
  readonly #context: RoomContext;
  readonly #ring: Ring;
  /** Undefined: left while messages were being delivered. */
  #members: (Member | undefined)[] = [];
  #size = 0;
  #isDelivering = false;
  /** What it was sent in this turn. */
  #pending: RoomMessage[] = [];
  #pendingSize = 0;
  /** The same, for members that leave before it is delivered. */
  #rest: Segment | undefined;
  /** How many members are behind, and which frames they need. */
  readonly #behind = new Set<Member>();
  readonly #wires = new Map<Wire, number>();
  /** Senders that wait, each once. */
  readonly #held = new Set<Participant>();
  #waiters: (() => void)[] = [];

  constructor(name: string, context: RoomContext) {
    this.name = name;
    this.#context = context;
    this.history = new History();
    this.#ring = new Ring(context.memoryLimit, {
      dropFirst: () => this.#dropFirst(),
      replaced: (segment, position) => this.#replaced(segment, position),
    });
  }

  /** The number of members in this process. */
  get size(): number {
    return this.#size;
  }

  get participants(): readonly Participant[] {
    return this.#members.flatMap((member) => (member ? [member.participant] : []));
  }

  /** What it was sent in this turn, and not delivered yet. */
  get pending(): readonly RoomMessage[] {
    return this.#pending;
  }

  /** At most `roomHistory` messages, the oldest first, with those that are not delivered yet. */
  get lastMessages(): readonly Message[] {
    return this.history.with(this.#pending, this.#context.limits);
  }

  add(participant: Participant): Member {
    const index = this.#members.length;
    const member = { participant, room: this, index, from: this.#pending.length, behind: undefined, untold: 0 };
    this.#members.push(member);
    this.#size++;
    return member;
  }

  /** @param isGone whether nothing can be delivered to it any more. If not, it receives what was sent before */
  remove(member: Member, isGone: boolean): void {
    if (!isGone) this.#deliverRest(member);
    if (member.untold > 0) this.#count(member.participant, member.untold);
    const { index, behind } = member;
    member.behind = undefined;
    if (this.#isDelivering) this.#members[index] = undefined;
    else this.#fill(index);
    this.#size--;
    if (behind) this.#leftBehind(member, behind);
    this.#release(member.participant);
  }

  /** Takes a message, to be delivered by {@link deliver}. */
  send(message: string | Uint8Array | Message, options: RoomSendOptions): void {
    const { except, key, from } = options;
    const lasting = lastingOf(message);
    this.#pending.push({ ...lasting, except: except?.id, key, isRemote: false });
    this.#pendingSize += lasting.size;
    if (!from || this.#context.limits.roomBehind !== 'wait' || !this.#isFull) return;
    const participant = participantOf(from);
    if (participant) this.#hold(participant);
  }

  /** Takes messages from another process, to be delivered by {@link deliver}. */
  receive(messages: readonly RoomMessage[]): void {
    for (const message of messages) {
      this.#pending.push(message);
      this.#pendingSize += message.size;
    }
  }

  /** Messages from another process were lost on the way: counts them, and tells all members. */
  lost(messages: number): void {
    for (const participant of this.participants) {
      const member = participant.memberships.get(this.name) as Member | undefined;
      if (participant.hasEnded || !member) continue;
      if (member.behind) member.behind.missed += messages;
      else if (member.untold > 0) member.untold += messages;
      else {
        this.#count(participant, messages);
        participant.missed(publicNameOf(this.name), messages);
      }
    }
  }

  /** Delivers what it was sent in this turn. */
  deliver(): void {
    const messages = this.#pending;
    this.#pending = [];
    this.#pendingSize = 0;
    this.#rest = undefined;
    this.#isDelivering = true;
    try {
      let base = 0;
      for (const part of partsOf(messages)) {
        this.#deliverSegment(new Segment(part), part, base);
        base += part.length;
      }
    } finally {
      this.#isDelivering = false;
      this.#endDelivery();
    }
    this.history.add(messages, this.#context.limits);
    this.#wake();
  }

  /** The member's peer has read what it was sent: it receives more. */
  catchUp(member: Member): void {
    const { behind, participant } = member;
    if (!behind) {
      if (!participant.isBehind) this.#tellUntold(member);
      return;
    }
    // The handler's `missed` may end the membership, and so may a delivery.
    const isMember = () => member.behind === behind && !participant.hasEnded;
    while (isMember() && !participant.isBehind) {
      if (behind.missed > 0) this.#tellMissed(member, behind);
      if (!isMember()) break;
      if (behind.position === this.#ring.end) return this.#hasCaughtUp(member, behind);
      this.#writeNext(member, behind);
    }
    this.#wake();
  }

  drained(): Promise<void> {
    if (!this.#isFull) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #deliverSegment(segment: Segment, messages: readonly RoomMessage[], base: number): void {
    const fellBehind: Member[] = [];
    const count = this.#members.length;
    for (let index = 0; index < count; index++) {
      const member = this.#members[index];
      if (!member || member.behind || member.participant.hasEnded) continue;
      const { participant } = member;
      const from = Math.max(0, member.from - base);
      if (from >= messages.length) continue;
      const { wire } = participant;
      if (!wire) this.#sendEach(member, messages, from);
      // It has enough to read already, such as what other rooms were sent.
      else if (from === 0 && participant.isBehind) this.#fallsBehind(member);
      else if (!this.#write(participant, segment.shareOf(recipientOf(member, wire, from)))) fellBehind.push(member);
    }
    if (this.#behind.size > 0) this.#keep(segment, messages);
    for (const member of fellBehind) this.#fallsBehind(member);
  }

  /** Returns whether the session can be sent more. */
  #write(participant: Participant, { pieces, messages, replaced, errors }: Share): boolean {
    const { telemetry } = this.#context;
    telemetry.counters.roomMessagesReplaced += replaced;
    for (const error of errors?.values() ?? []) participant.session.undelivered(error);
    if (pieces.length === 0) return true;
    const frames = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
    return participant.deliver(frames, messages);
  }

  /** Writes the next segment of the ring. */
  #writeNext(member: Member, behind: Behind): void {
    const segment = this.#ring.at(behind.position);
    // Before the ring frees the segment, which the memory limit may answer by dropping others.
    this.#ring.advance(behind.position++);
    if (segment) this.#write(member.participant, segment.shareOf(recipientOf(member, behind.wire)));
  }

  /** For connections whose frames depend on what was said before. Without a ring: what does not fit is missed. */
  #sendEach(member: Member, messages: readonly RoomMessage[], from: number): void {
    const { participant } = member;
    if (!participant.isBehind) this.#tellUntold(member);
    for (let index = from; index < messages.length; index++) {
      const { message, except } = messages[index] as RoomMessage;
      if (except === participant.session.id) continue;
      if (member.untold > 0 || participant.isBehind) member.untold++;
      else participant.session.send(message);
    }
    if (member.untold > 0 && this.#context.limits.roomBehind === 'close')
      participant.session.close(fellBehind(this.name, member.untold));
  }

  #tellUntold(member: Member): void {
    if (member.untold === 0 || member.participant.hasEnded) return;
    const { untold } = member;
    member.untold = 0;
    this.#missed(member.participant, untold);
  }

  /** Delivers everything that it was sent, before it leaves. */
  #deliverRest(member: Member): void {
    const { behind, participant } = member;
    if (behind) {
      if (behind.missed > 0) this.#tellMissed(member, behind);
      while (behind.position < this.#ring.end && !participant.hasEnded) this.#writeNext(member, behind);
    }
    if (this.#pending.length > member.from) this.#deliverPendingTo(member);
    this.#tellUntold(member);
  }

  #deliverPendingTo(member: Member): void {
    const { participant, from } = member;
    if (participant.hasEnded) return;
    const { wire } = participant;
    if (!wire) return this.#sendEach(member, this.#pending, from);
    if (this.#rest?.count !== this.#pending.length) this.#rest = new Segment([...this.#pending]);
    this.#write(participant, this.#rest.shareOf(recipientOf(member, wire, from)));
  }

  #fallsBehind(member: Member): void {
    const { wire, hasEnded } = member.participant;
    if (!wire || hasEnded || member.behind || this.#members[member.index] !== member) return;
    member.behind = { wire, position: this.#ring.enter(), missed: 0 };
    this.#behind.add(member);
    this.#wires.set(wire, (this.#wires.get(wire) ?? 0) + 1);
  }

  #hasCaughtUp(member: Member, behind: Behind): void {
    this.#leftBehind(member, behind);
    member.behind = undefined;
  }

  #leftBehind(member: Member, { wire, position, missed }: Behind): void {
    // It left before it could be told.
    if (missed > 0) this.#count(member.participant, missed);
    this.#behind.delete(member);
    const others = (this.#wires.get(wire) ?? 1) - 1;
    if (others > 0) this.#wires.set(wire, others);
    else this.#wires.delete(wire);
    this.#ring.leave(position);
    this.#wake();
  }

  #keep(segment: Segment, messages: readonly RoomMessage[]): void {
    this.#ring.add(segment, messages, this.#wires);
    const { roomBuffer } = this.#context.limits;
    while (this.#ring.buffered > roomBuffer) this.#dropFirst();
  }

  /** Drops the first segment of the ring: members that have not received it miss its messages. */
  #dropFirst(): void {
    const { first } = this.#ring;
    const segment = this.#ring.at(first);
    const { counters } = this.#context.telemetry;
    for (const member of this.#behind) {
      const behind = member.behind as Behind;
      if (behind.position > first) continue;
      const share = segment?.shareOf(recipientOf(member, behind.wire));
      behind.missed += share?.messages ?? 0;
      counters.roomMessagesReplaced += share?.replaced ?? 0;
      this.#ring.advance(behind.position++);
      if (behind.missed > 0 && this.#context.limits.roomBehind === 'close')
        member.participant.session.close(fellBehind(this.name, behind.missed));
    }
    this.#ring.passed(first);
    this.#wake();
  }

  #replaced(segment: Segment, position: number): void {
    const { counters } = this.#context.telemetry;
    for (const member of this.#behind) {
      const behind = member.behind as Behind;
      if (behind.position <= position)
        counters.roomMessagesReplaced += segment.shareOf(recipientOf(member, behind.wire)).replaced;
    }
  }

  #tellMissed({ participant }: Member, behind: Behind): void {
    const { missed } = behind;
    behind.missed = 0;
    this.#missed(participant, missed);
  }

  #missed(participant: Participant, messages: number): void {
    this.#count(participant, messages);
    if (!participant.missed(publicNameOf(this.name), messages))
      participant.session.close(fellBehind(this.name, messages));
  }

  #count({ session }: Participant, messages: number): void {
    const { telemetry } = this.#context;
    telemetry.counters.roomMessagesMissed += messages;
    if (telemetry.watched) telemetry.emit('missed', session, publicNameOf(this.name), messages);
  }

  /** After a delivery: members that left make room, and new ones receive everything from now on. */
  #endDelivery(): void {
    for (let index = this.#members.length - 1; index >= 0; index--) {
      const member = this.#members[index];
      if (member) member.from = 0;
      else this.#fill(index);
    }
  }

  /** Removes a place: the last member takes it. */
  #fill(index: number): void {
    const last = this.#members.pop();
    if (index === this.#members.length || !last) return;
    this.#members[index] = last;
    last.index = index;
  }

  get #isFull(): boolean {
    return this.#ring.buffered + this.#pendingSize > this.#context.limits.roomBuffer / 2;
  }

  #hold(participant: Participant): void {
    if (this.#held.has(participant)) return;
    this.#held.add(participant);
    participant.hold(true);
  }

  #release(participant: Participant): void {
    if (this.#held.delete(participant)) participant.hold(false);
  }

  /** Senders continue once there is space. */
  #wake(): void {
    if (this.#isFull) return;
    for (const participant of this.#held) this.#release(participant);
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

/** Undefined where a handler with faults knows the session by an object of its own. */
export function participantOf(session: Session): Participant | undefined {
  return (session as Partial<RoomSession>).participant;
}

function recipientOf({ participant }: Member, wire: Wire, from = 0): Recipient {
  return { id: participant.session.id, wire, from };
}
