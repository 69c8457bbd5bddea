/** Stores of rooms at a real broker, as the rooms of a node use them. */
import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { openBus } from '../../../src/bus/open.ts';
import type { BusReceiver } from '../../../src/rooms/bus.ts';
import type { RoomStore, StoreLimits } from '../../../src/rooms/stored/store.ts';
import { type OpenedStore, recording } from '../../rooms/stored/conformance.ts';

/** A store, and what its bus has reported. */
export interface OpenedNode extends OpenedStore {
  readonly events: string[];
  /** Ends before the test does. */
  close(): Promise<void>;
}

/** Opens the store of a node that shares nothing else. */
export async function openNode(url: string, limits: Partial<StoreLimits> = {}, prefix?: string): Promise<OpenedNode> {
  const bus = await openBus(url, { required: true, prefix });
  const { receiver, ...recorded } = recording(limits);
  const store = bus.store as RoomStore;
  store.start(receiver);
  const events: string[] = [];
  await bus.start(receiverOf(events));
  const close = () => bus.close();
  onTestFinished(close);
  const follow = async (room: string) => {
    bus.follow(room);
    await store.followed();
  };
  return { store, ...recorded, follow, events, close };
}

/** Of a node without members. */
function receiverOf(events: string[]): BusReceiver {
  const nothing = () => undefined;
  return {
    node: randomUUID(),
    busBuffer: 1_048_576,
    stateOf: () => ({ last: 0, sentAt: 0, size: 0 }),
    startOf: () => ({ last: 0, sentAt: 0 }),
    accepts: () => true,
    namesOf: () => [],
    received: () => true,
    followed: nothing,
    started: nothing,
    unknownStarts: () => [],
    beaten: nothing,
    unfollowed: nothing,
    gone: nothing,
    forgotten: nothing,
    numbered: () => [],
    reported: (event, reason) => events.push(`${event}: ${reason}`),
    drained: nothing,
    waiting: nothing,
    keeper: { kept: nothing, freed: nothing },
  };
}
