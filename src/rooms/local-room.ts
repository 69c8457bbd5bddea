/** A room in this process: its members, and what it is sent. */

import type { Message } from '../framing/message.ts';
import type { Participant } from '../session/membership.ts';
import type { RoomSendOptions } from '../session/public-session.ts';
import type { Loss } from './behind/ring.ts';
import { Senders } from './behind/senders.ts';
import { SlowMembers } from './behind/slow-members.ts';
import type { RoomContext } from './context.ts';
import { type Histories, History, lastOf } from './history.ts';
import { canReceive, type Member, participantOf, recipientOf, writeShare } from './member.ts';
import { type Part, Pending } from './pending.ts';
import { lastingOf, type RoomMessage } from './segment.ts';

/** A session in this room. */
export interface Membership extends Member {
  readonly room: LocalRoom;
}

/**
 * See the top of the file. Everything that a room does may call code of the program, such as a subscriber or the handler's
 * `missed`, which may join, leave, send and end sessions. So each member has the number of its next message, and what it was
 * sent is found by that.
 */
export class LocalRoom {
  readonly name: string;
  readonly #context: RoomContext;
  readonly #histories: Histories | undefined;
  readonly #pending = new Pending();
  /** Created when they are first needed, because there may be very many rooms. */
  #slow: SlowMembers | undefined;
  #senders: Senders | undefined;
  #history: History | undefined;
  /** Undefined: left while messages were being delivered. */
  #members: (Member | undefined)[] = [];
  #size = 0;
  #isDelivering = false;
  /** Whether this process receives what the room is sent in others. */
  isFollowed = false;
  /** How many sessions receive its history, and become members then. */
  waiting = 0;
  #hasHistory = true;
  /** Everything below this number was received, or is kept for the slow members. */
  #kept = 0;

  /** @param histories those of all rooms, if this one has one */
  constructor(name: string, context: RoomContext, histories: Histories | undefined) {
    this.name = name;
    this.#context = context;
    this.#histories = histories;
  }

  /** The number of members in this process. */
  get size(): number {
    return this.#size;
  }

  get participants(): readonly Participant[] {
    return this.#members.flatMap((member) => (member ? [member.participant] : []));
  }

  /** Whether it was sent something in this turn that is not delivered yet. */
  get hasPending(): boolean {
    return this.#pending.messages.length > 0;
  }

  /** At most `roomHistory` messages, the oldest first, with those that are not delivered yet. */
  get lastMessages(): readonly Message[] {
    const { limits } = this.#context;
    return lastOf(this.#history?.messages ?? [], this.#pending.messages, limits.roomHistory);
  }

  add(participant: Participant): Membership {
    const index = this.#members.length;
    const member = {
      participant,
      room: this,
      since: Date.now(),
      index,
      next: this.#pending.end,
      behind: undefined,
      untold: 0,
    };
    this.#members.push(member);
    this.#size++;
    return member;
  }

  /** @param isGone whether nothing can be delivered to it any more. If not, it receives what was sent before */
  remove(member: Member, isGone: boolean): void {
    const { index, participant } = member;
    if (this.#isDelivering) this.#members[index] = undefined;
    else this.#fill(index);
    this.#size--;
    if (!isGone) this.#deliverRest(member);
    this.#slow?.remove(member);
    this.#senders?.release(participant);
  }

  /** Nobody else can join: there is no history. */
  keepNoHistory(): void {
    this.#hasHistory = false;
  }

  /** The last member is gone, and with it the room. */
  close(): void {
    this.#history?.clear();
  }

  /** Takes a message, to be delivered by {@link deliver}. */
  send(message: string | Uint8Array | Message, options: RoomSendOptions): void {
    const { except, key, from, history = true } = options;
    this.#pending.add({ ...lastingOf(message), except: except?.id, key, isRemote: false, isPassing: !history });
    if (!from || this.#context.limits.roomBehind !== 'wait' || !this.#isFull) return;
    const participant = participantOf(from);
    if (participant) this.#waiting.hold(participant);
  }

  /** Takes messages from another process, to be delivered by {@link deliver}. */
  receive(messages: readonly RoomMessage[]): void {
    for (const message of messages) this.#pending.add(message);
  }

  /** Messages from another process were lost on the way: counts them, and tells all who were members then. */
  lost(loss: Loss): void {
    this.#slow?.lost(loss);
    // What is told may end other memberships.
    for (const member of this.#members.filter((one) => one !== undefined)) {
      if (!this.#isMember(member) || member.participant.hasEnded) continue;
      if (member.behind || member.since > loss.until) continue;
      if (member.untold > 0) member.untold += loss.messages;
      else this.#slowMembers.missed(member, loss.messages);
    }
  }

  /** Delivers what it was sent in this turn. @param announce is called with that before */
  deliver(announce: (messages: readonly RoomMessage[]) => void): void {
    if (this.#isDelivering) return;
    const { messages } = this.#pending;
    const parts = this.#pending.take();
    this.#isDelivering = true;
    try {
      this.#remember(messages);
      announce(messages);
      for (const part of parts) this.#deliverPart(part);
    } finally {
      this.#isDelivering = false;
      this.#pending.delivered();
      this.#fillAll();
    }
    this.#wake();
  }

  /** The member's peer has read what it was sent: it receives more. */
  continue(member: Member): void {
    this.#slow?.continue(member);
    if (!member.behind) member.next = this.#kept;
  }

  drained(): Promise<void> {
    return this.#isFull ? this.#waiting.woken() : Promise.resolve();
  }

  #deliverPart(part: Part): void {
    const end = part.first + part.messages.length;
    const fellBehind: Member[] = [];
    // Members that join meanwhile receive later messages only.
    const count = this.#members.length;
    for (let index = 0; index < count; index++) {
      const member = this.#members[index];
      if (!member || member.next >= end || member.behind || member.participant.hasEnded) continue;
      if (!this.#deliverTo(member, part)) fellBehind.push(member);
    }
    this.#slow?.keep(part);
    this.#kept = end;
    for (const member of fellBehind) this.#fallsBehind(member);
  }

  /** Returns whether the member can receive more. */
  #deliverTo(member: Member, part: Part): boolean {
    const { participant } = member;
    const { wire } = participant;
    if (!wire) {
      this.#sendEach(member, part);
      return true;
    }
    const from = Math.max(0, member.next - part.first);
    member.next = part.first + part.messages.length;
    // It has enough to read already, such as what other rooms were sent: this need not wait in its connection as well.
    if (from === 0 && this.#isMember(member) && participant.behind.size > 0) {
      this.#fallsBehind(member);
      return true;
    }
    return writeShare(participant, part.segment, recipientOf(member, wire, from), this.#context.telemetry);
  }

  /** For connections whose frames depend on what was said before. Without a ring: what does not fit is missed. */
  #sendEach(member: Member, { first, messages }: Part): void {
    const { participant } = member;
    if (member.untold > 0 && canReceive(participant)) this.#slowMembers.tellUntold(member);
    member.next = Math.max(member.next, first);
    let missed = 0;
    while (member.next < first + messages.length && !participant.hasEnded) {
      const { message, except } = messages[member.next++ - first] as RoomMessage;
      if (except === participant.session.id) continue;
      if (missed > 0 || member.untold > 0 || !canReceive(participant)) missed++;
      else participant.send(message);
    }
    if (missed > 0) this.#slowMembers.missesUntold(member, missed);
  }

  /** Delivers everything that it was sent, before it leaves. */
  #deliverRest(member: Member): void {
    const { behind, participant } = member;
    if (behind) {
      member.next = this.#kept;
      this.#slow?.deliverRest(member, behind);
    }
    for (const part of this.#pending.restFrom(member.next)) {
      if (participant.hasEnded) return;
      this.#deliverTo(member, part);
    }
    this.#slow?.tellUntold(member);
  }

  #fallsBehind(member: Member): void {
    const { wire, hasEnded } = member.participant;
    if (wire && !hasEnded && this.#isMember(member)) this.#slowMembers.add(member, wire);
  }

  #isMember(member: Member): boolean {
    return this.#members[member.index] === member;
  }

  /** After a delivery: members that left make room. */
  #fillAll(): void {
    for (let index = this.#members.length - 1; index >= 0; index--) if (!this.#members[index]) this.#fill(index);
  }

  /** Removes a place: the last member takes it. */
  #fill(index: number): void {
    const last = this.#members.pop();
    if (index === this.#members.length || !last) return;
    this.#members[index] = last;
    last.index = index;
  }

  #remember(messages: readonly RoomMessage[]): void {
    const { limits } = this.#context;
    if (!this.#hasHistory || !this.#histories || (limits.roomHistory === 0 && !this.#history)) return;
    this.#history ??= new History(this.#histories);
    this.#history.add(messages, limits);
  }

  get #slowMembers(): SlowMembers {
    this.#slow ??= new SlowMembers(this.name, this.#context, () => this.#wake());
    return this.#slow;
  }

  get #waiting(): Senders {
    this.#senders ??= new Senders();
    return this.#senders;
  }

  get #isFull(): boolean {
    return (this.#slow?.buffered ?? 0) + this.#pending.size > this.#context.limits.roomBuffer / 2;
  }

  /** Senders continue once there is space. */
  #wake(): void {
    if (this.#senders && !this.#isFull) this.#senders.wake();
  }
}
