/** A process with rooms, as its bridge to other processes sees them, and what it was sent and told. */
import type { Message } from '../../src/framing/message.ts';
import type { Loss } from '../../src/rooms/behind/ring.ts';
import { Bridge, type BridgedRooms } from '../../src/rooms/bridge.ts';
import type { Bus, MemberName } from '../../src/rooms/bus.ts';
import type { RoomMessage } from '../../src/rooms/segment.ts';
import { MemoryLimit } from '../../src/session/memory-limit.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';

export class BridgedNode<OneBus extends Bus> implements BridgedRooms {
  readonly clock: FakeClock;
  busBuffer = 1_048_576;
  readonly memoryLimit = new MemoryLimit(1_000_000_000, new FakeClock());
  readonly bus: OneBus;
  readonly bridge: Bridge;
  readonly members = new Map<string, number>();
  /** The names of its members, by room; and what it was told of those of others. */
  readonly names = new Map<string, string[]>();
  readonly told: string[] = [];
  readonly texts: string[] = [];
  readonly messages: RoomMessage[] = [];
  /** What the bus has reported. */
  readonly events: string[] = [];
  readonly losses: Loss[] = [];
  missed = 0;

  constructor(bus: OneBus, clock = new FakeClock()) {
    this.clock = clock;
    this.bus = bus;
    this.bridge = new Bridge(bus, this);
  }

  sizeOf(room: string): number {
    return this.members.get(room) ?? 0;
  }
  namesOf(room: string): readonly MemberName[] {
    return (this.names.get(room) ?? []).map((name, since) => ({ name, since, alone: false }));
  }
  resized(): void {}
  named(room: string, names: readonly MemberName[]): void {
    this.told.push(`${room}: ${names.map(({ name }) => name).join(' ')}`);
  }
  received(_room: string, messages: readonly RoomMessage[]): void {
    this.messages.push(...messages);
    this.texts.push(...messages.map(({ message }) => String(message)));
  }
  lost(_room: string, loss: Loss): void {
    const { messages } = loss;
    this.losses.push(loss);
    this.missed += messages;
    this.texts.push(`(${messages} lost)`);
  }
  reported(event: string, reason: string): void {
    this.events.push(`${event}: ${reason}`);
  }

  join(room: string): void {
    this.members.set(room, this.sizeOf(room) + 1);
    if (this.sizeOf(room) === 1) this.bridge.follow(room);
    this.bridge.resized(room);
  }
  leave(room: string): void {
    this.members.set(room, this.sizeOf(room) - 1);
    if (this.sizeOf(room) === 0) this.bridge.unfollow(room);
    this.bridge.resized(room);
  }
  send(room: string, ...messages: (string | Uint8Array | Message)[]): void {
    this.bridge.publish(room, messages.map(sentHere));
  }
}

/** A message that was sent in this process. */
export function sentHere(message: string | Uint8Array | Message): RoomMessage {
  return { message, size: 1, except: undefined, key: undefined, isRemote: false };
}
