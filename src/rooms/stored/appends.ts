/** What this process stores: the messages of a room in batches, one after another. */
import type { Clock } from '../../clock.ts';
import { YodelError } from '../../errors.ts';
import type { Message } from '../../framing/message.ts';
import { packMessages } from '../packed-messages.ts';
import { lastingOf, type RoomMessage } from '../segment.ts';
import { positionOf } from './position.ts';
import { beginning, type Place, type RoomStore } from './store.ts';

/** Those that a program stores in rooms, as the server counts them. */
export interface AppendsOwner {
  readonly store: RoomStore;
  readonly clock: Clock;
  /** How many bytes may wait. */
  readonly busBuffer: number;
  /** How many bytes wait now. */
  waiting(bytes: number): void;
  /** The last place of a room's history, as far as this process knows it from others. */
  lastOf(room: string): Place | undefined;
  /** Messages were stored. */
  stored(messages: number): void;
}

/** A message that waits. */
interface Waiting {
  readonly message: RoomMessage;
  readonly cost: number;
  resolve(position: string): void;
  reject(error: unknown): void;
}

/** The longest batch, in bytes, unless the store takes only shorter ones, or a message is longer. */
const maxBatch = 262_144;
/** What a message takes besides its payload while it waits. */
const messageCost = 256;
/** Of how many rooms it is remembered where this process has appended last. */
const rememberedRooms = 10_000;

/** See the top of the file. */
export class Appends {
  readonly #owner: AppendsOwner;
  /** By room. A room that is here has a batch under way, or will have one at the end of this turn. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #places = new Map<string, Place>();
  #bytes = 0;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(owner: AppendsOwner) {
    this.#owner = owner;
  }

  /** Stores a message. Resolves to its position. */
  add(room: string, message: string | Uint8Array | Message): Promise<string> {
    const kept = { ...lastingOf(message), except: undefined, key: undefined, isRemote: true };
    const cost = kept.size + messageCost;
    const { store, busBuffer } = this.#owner;
    if (!store.isReady) return Promise.reject(away());
    if (kept.size > store.maxBatch) return Promise.reject(tooLong(store.maxBatch));
    if (this.#bytes > 0 && this.#bytes + cost > busBuffer) return Promise.reject(full(busBuffer));
    return new Promise((resolve, reject) => {
      this.#count(cost);
      const waiting = this.#waiting.get(room);
      if (waiting) waiting.push({ message: kept, cost, resolve, reject });
      else {
        this.#waiting.set(room, [{ message: kept, cost, resolve, reject }]);
        this.#owner.clock.soon(() => void this.#appendAll(room));
      }
    });
  }

  /** Resolves when nothing waits. */
  async close(): Promise<void> {
    if (this.#waiting.size === 0) return;
    this.#idle ??= Promise.withResolvers<void>();
    await this.#idle.promise;
  }

  async #appendAll(room: string): Promise<void> {
    for (let waiting = this.#waiting.get(room) ?? []; waiting.length > 0; waiting = this.#waiting.get(room) ?? []) {
      await this.#append(room, waiting);
    }
    this.#waiting.delete(room);
    if (this.#waiting.size === 0) this.#idle?.resolve();
  }

  /** Appends as much of it as one batch takes. */
  async #append(room: string, waiting: readonly Waiting[]): Promise<void> {
    const { store } = this.#owner;
    const messages = waiting.map(({ message }) => message);
    const [packed] = packMessages(messages, Math.min(maxBatch, store.maxBatch));
    const { count, bytes } = packed as { count: number; bytes: Buffer };
    const batch = { room, id: newId(), count, time: Date.now(), bytes: Buffer.from(bytes) };
    this.#waiting.set(room, waiting.slice(count));
    const taken = waiting.slice(0, count);
    try {
      const place = await store.append(batch, this.#lastOf(room));
      this.#remember(room, place);
      this.#owner.stored(count);
      for (const [index, { resolve }] of taken.entries()) {
        resolve(positionOf({ ...place, number: place.number - count + 1 + index }));
      }
    } catch (error) {
      for (const { reject } of taken) reject(error);
    }
    this.#count(-taken.reduce((sum, { cost }) => sum + cost, 0));
  }

  #lastOf(room: string): Place {
    const own = this.#places.get(room);
    const others = this.#owner.lastOf(room);
    if (own && others) return own.number > others.number ? own : others;
    return own ?? others ?? beginning;
  }

  #remember(room: string, place: Place): void {
    this.#places.delete(room);
    this.#places.set(room, place);
    if (this.#places.size <= rememberedRooms) return;
    const [oldest] = this.#places.keys();
    this.#places.delete(oldest as string);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#owner.waiting(this.#bytes);
  }
}

/** Whether a message that was refused is not stored for certain, and can be stored later. */
export function isNotStored(error: unknown): boolean {
  const { code, message } = error as YodelError;
  return code === 'YODEL_BUS_UNAVAILABLE' && message.endsWith('the message is not stored');
}

function newId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString('base64url');
}

function away(): YodelError {
  return new YodelError('YODEL_BUS_UNAVAILABLE', 'the store of rooms cannot be reached: the message is not stored');
}

function full(limit: number): YodelError {
  return new YodelError(
    'YODEL_STORE_FULL',
    `more than busBuffer (${limit} bytes) waits to be stored: the message is not`,
  );
}

function tooLong(limit: number): YodelError {
  return new YodelError('YODEL_MESSAGE_TOO_LONG', `the store of rooms takes messages of at most ${limit} bytes`);
}
