/** A subscription to a room: joins it, again if the bus was away meanwhile, and yields what comes. */
import type { Clock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { Rooms } from '../rooms/rooms.ts';
import { checkHistoryCount } from '../rooms/stored/history-count.ts';
import type { HistoryOptions } from '../session/joining.ts';
import { Inbox } from './inbox.ts';
import type { Positions } from './positions.ts';
import { Subscriber } from './subscriber.ts';
import type { RoomEvent, SubscribeOptions, Subscription } from './subscribing.ts';

/** The rooms, as their subscriptions see them. */
export interface SubscribedRooms {
  readonly rooms: Rooms;
  readonly clock: Clock;
  readonly positions: Positions;
  readonly roomBuffer: number;
  /** Whether the bus can have histories. */
  readonly hasHistories: boolean;
  isConnected(): boolean;
  connected(): Promise<void>;
  /** Resolves when subscriptions are in effect. Rejects if the bus is away. */
  taken(): Promise<void>;
  ended(): void;
}

/** The pause before another attempt to read a history. */
const retryMs = 250;
/** A history that cannot be read for this long, although the bus is there, is an error. */
const unreadableMs = 5000;

/** See the top of the file. */
export class RoomSubscription implements Subscription {
  readonly begun: Promise<void>;
  readonly #room: string;
  readonly #options: SubscribeOptions;
  readonly #owner: SubscribedRooms;
  readonly #inbox: Inbox;
  readonly #subscriber: Subscriber;
  readonly #begun = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  /** The position after what has come, and after what the program has taken. */
  #arrived: string | undefined;
  #position: string | undefined;

  /** @throws YodelError `YODEL_INVALID_OPTION` */
  constructor(room: string, options: SubscribeOptions, owner: SubscribedRooms) {
    if (options.history !== undefined) checkHistoryCount(options.history);
    this.#room = room;
    this.#options = options;
    this.#owner = owner;
    this.#position = options.since;
    this.begun = this.#begun.promise;
    this.begun.catch(() => undefined);
    this.#inbox = new Inbox(owner.roomBuffer);
    this.#subscriber = new Subscriber(this.#inbox, (message) => this.#receive(message));
    options.signal?.addEventListener('abort', this.#abort);
  }

  /** Joins the room. */
  begin(): void {
    if (this.#options.signal?.aborted) return this.close();
    this.#join().then(
      () => this.#begun.resolve(),
      (error: unknown) => {
        this.#begun.reject(error);
        this.#end(error);
      },
    );
  }

  get position(): string | undefined {
    return this.#position;
  }

  close(): void {
    this.#inbox.clear();
    this.#end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RoomEvent, void, undefined> {
    try {
      for (let event = await this.#next(); event; event = await this.#next()) {
        this.#position = event.position ?? this.#position;
        yield event;
      }
    } finally {
      this.close();
    }
  }

  async #next(): Promise<RoomEvent | undefined> {
    const event = await this.#inbox.next();
    if (this.#inbox.isLow) {
      this.#subscriber.woken();
      if (this.#subscriber.behind.size > 0) this.#owner.rooms.peerRead(this.#subscriber);
    }
    return event;
  }

  #receive(message: string | Uint8Array | Message): void {
    const event = this.#owner.positions.of(message);
    this.#arrived = event.position ?? this.#arrived;
    this.#inbox.add(event);
  }

  async #join(): Promise<void> {
    const { since, history, as } = this.#options;
    if (since === undefined && history === undefined) {
      this.#owner.rooms.join(this.#subscriber, this.#room, { as });
      return await this.#untilInEffect();
    }
    await this.#joinWithHistory({ since, history: history ?? 0 });
  }

  async #untilInEffect(): Promise<void> {
    while (!this.#inbox.hasEnded) {
      await this.#owner.connected();
      try {
        return await this.#owner.taken();
      } catch {
        // It is away again.
        await new Promise<void>((resolve) => this.#owner.clock.after(retryMs, resolve));
      }
    }
  }

  /** Tries again if the bus is away, from what has come already. */
  async #joinWithHistory(wanted: { readonly since: string | undefined; readonly history: number }): Promise<void> {
    let patience = unreadableMs;
    while (!this.#inbox.hasEnded) {
      try {
        return await this.#joinFrom(wanted);
      } catch (error) {
        patience = this.#owner.isConnected() ? patience - retryMs : unreadableMs;
        if (!isUnavailable(error) || !this.#owner.hasHistories || patience < 0) throw error;
      }
      await Promise.race([this.#owner.connected(), this.#ended.promise]);
      await new Promise<void>((resolve) => this.#owner.clock.after(retryMs, resolve));
    }
  }

  async #joinFrom({ since, history }: { readonly since: string | undefined; readonly history: number }): Promise<void> {
    const { rooms } = this.#owner;
    const isAgain = this.#arrived !== undefined;
    // An earlier attempt has not said whether what it received followed.
    const wasIntact = !isAgain || (await this.#isIntact(since));
    const options = { since: this.#arrived ?? since, history, as: this.#options.as } as HistoryOptions;
    const joined = await rooms.join(this.#subscriber, this.#room, options);
    if (!joined || this.#inbox.hasEnded) return;
    this.#arrived = joined.position;
    this.#inbox.add({ recovered: joined.recovered && wasIntact, position: joined.position });
  }

  /** Whether it is known what comes after this position. */
  async #isIntact(since: string | undefined): Promise<boolean> {
    if (since === undefined) return false;
    return (await this.#owner.rooms.room(this.#room).read({ since, history: 0 })).recovered;
  }

  readonly #abort = (): void => this.close();

  #end(error?: unknown): void {
    if (this.#inbox.hasEnded) return;
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#owner.rooms.leaveAll(this.#subscriber, true);
    this.#inbox.end(error);
    this.#subscriber.woken();
    this.#ended.resolve();
    this.#begun.resolve();
    this.#owner.ended();
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof YodelError && error.code === 'YODEL_BUS_UNAVAILABLE';
}
