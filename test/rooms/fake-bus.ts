import type { Bus, BusBatch, BusBeat, BusReceiver, BusState } from '../../src/rooms/bus.ts';

/** What travels from one node to the others. */
export type Packet = { readonly batch: BusBatch } | { readonly beat: BusBeat };

/** A bus in memory: what is published waits until the test delivers it, or does something else with it. */
export class FakeBus implements Bus {
  state: BusState = 'ready';
  readonly sent: Packet[] = [];
  readonly followed = new Set<string>();
  receiver!: BusReceiver;
  others: FakeBus[] = [];

  async start(receiver: BusReceiver): Promise<void> {
    this.receiver = receiver;
  }
  follow(room: string): void {
    this.followed.add(room);
    for (const { receiver } of this.others) {
      const { last, sentAt } = receiver.startOf(room);
      this.receiver.followed(receiver.node, room, last, sentAt);
    }
  }
  unfollow(room: string): void {
    this.followed.delete(room);
    for (const one of this.others) if (!one.isFollowed(room)) one.receiver.unfollowed(room);
  }
  isFollowed(room: string): boolean {
    return this.others.some((one) => one.followed.has(room));
  }
  publish(batch: BusBatch): void {
    if (this.state === 'away') return;
    // Its bytes are valid only during this call.
    this.sent.push({ batch: { ...batch, bytes: Buffer.from(batch.bytes) } });
  }
  beat(beat: BusBeat): void {
    this.sent.push({ beat });
  }
  async close(): Promise<void> {}

  /** Delivers to the others what was sent. @param edit what arrives of it */
  deliver(edit: (packets: Packet[]) => Packet[] = (packets) => packets): void {
    for (const packet of edit(this.sent.splice(0))) {
      for (const { receiver, followed } of this.others) {
        if ('beat' in packet) receiver.beaten(packet.beat);
        else if (followed.has(packet.batch.room)) receiver.received(packet.batch);
      }
    }
  }
}

/** Connects them with each other. */
export function connected(all: readonly FakeBus[]): void {
  for (const one of all) one.others = all.filter((other) => other !== one);
}
