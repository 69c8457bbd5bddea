/**
 * The rooms of servers, for programs that are none: `openRooms()`. They take part as another node of the bus, with the same parts as a
 * server: numbers for what is sent, exact counts of what is lost, histories.
 *
 * ```
 * room.send, room.store ─▶ Rooms ─▶ Bus
 * room.subscribe ◀─ Inbox ◀─ Subscriber, a member without a connection ◀─ Rooms ◀─ Bus
 * ```
 */
import { type OpenBusOptions, openBus } from '../bus/open.ts';
import { type Clock, realClock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import { checkShapes, shapesOf } from '../option-shapes.ts';
import { type OptionalValues, resolveOptions } from '../option-values.ts';
import { type ServerLimits, serverOptions } from '../options.ts';
import type { Bus, BusState } from '../rooms/bus.ts';
import { Rooms } from '../rooms/rooms.ts';
import type { HistoryOptions, RoomReach, StoredMessages } from '../session/joining.ts';
import { MemoryLimit } from '../session/memory-limit.ts';
import type { Room, RoomSendOptions } from '../session/public-session.ts';
import { type Subscriber as EventSubscriber, Telemetry } from '../telemetry/telemetry.ts';
import { Confirmations } from './confirmations.ts';
import { Positions } from './positions.ts';
import type { SubscribeOptions, Subscription } from './subscribing.ts';
import { RoomSubscription } from './subscription.ts';

/** The limits that matter without clients; see the reference. Those of stored messages are the same in all processes. */
const limitNames = ['roomBuffer', 'busBuffer', 'storedMessages', 'storedAge', 'storedBytes'] as const;

/** Options of {@link openRooms}. */
export interface OpenRoomsOptions
  extends Pick<OpenBusOptions, 'prefix' | 'credentials' | 'ca'>,
    OptionalValues<Pick<ServerLimits, (typeof limitNames)[number]>> {
  /** Receives these events. */
  readonly telemetry?: Pick<EventSubscriber, 'bus' | 'roomLost'> | undefined;
  /** @internal For tests. */
  readonly clock?: Clock | undefined;
}

/** The rooms of servers. */
export interface SharedRooms {
  /** Whether there is a connection to the bus. If not, it is tried again at least once a second. */
  readonly isConnected: boolean;
  /** Resolves when there is a connection to the bus, or the rooms are closed. */
  connected(): Promise<void>;
  /**
   * A room.
   *
   * @throws YodelError `YODEL_INVALID_ROOM` unless the name has 1 to 128 bytes and no control characters
   */
  room(name: string): SharedRoom;
  /**
   * Resolves when the bus has taken everything that was sent before, or never will. Await it now and then: what is sent meanwhile
   * beyond `busBuffer` is lost, and counted here.
   *
   * @returns how many of the messages since the last call did not reach the bus, as far as is known: none if 0, but some of the others
   *   may have, because a connection that is lost does not say how far it got
   */
  flush(): Promise<number>;
  /** Ends all subscriptions, waits for what is being stored, sends what is pending, and disconnects. */
  close(): Promise<void>;
}

/** A room of servers. */
export interface SharedRoom {
  readonly name: string;
  /** The number of members, in all processes. A subscription is one of them. */
  readonly size: number;
  /** The names of members that have joined with one; see {@link Room.names}. */
  names(limit?: number): string[];
  /**
   * Sends a message to all members; see {@link Room.send}. It leaves at the end of the turn of the event loop: `flush()` says whether
   * it arrived at the bus.
   *
   * @returns `all`; `local` if no other process receives it, because the bus is away
   */
  send(message: string | Uint8Array | Message, options?: Pick<RoomSendOptions, 'key' | 'history'>): RoomReach;
  /** Stores a message, and sends it to all members; see {@link Room.store}. Resolves to its position, once it is stored. */
  store(message: string | Uint8Array | Message): Promise<string>;
  /** Reads the history; see {@link Room.read}. */
  read(options: HistoryOptions): Promise<StoredMessages>;
  /** Becomes a member, until the iteration ends. */
  subscribe(options?: SubscribeOptions): Subscription;
}

/**
 * Opens the rooms that servers share through a bus, for a program that is no server: to send, to store, to subscribe.
 *
 * @param bus the address of the bus, as for {@link openBus}, or one that is open: it is closed with the rooms
 * @throws YodelError `YODEL_BUS_UNAVAILABLE` if it cannot be reached within 5 s; `YODEL_INVALID_ADDRESS`, `YODEL_INVALID_OPTION`
 */
export async function openRooms(bus: string | Bus, options: OpenRoomsOptions = {}): Promise<SharedRooms> {
  checkShapes(options, known, 'openRooms()');
  const { prefix, credentials, ca, telemetry, clock = realClock, ...limits } = options;
  const values = resolveOptions(serverOptions, limits);
  const opened = typeof bus === 'string' ? await openBus(bus, { prefix, credentials, ca, required: true }) : bus;
  const rooms = new BusRooms(opened, values, clock, telemetry);
  await rooms.start();
  return rooms;
}

const known = { ...shapesOf(['prefix', 'credentials', 'ca', 'clock', ...limitNames]), telemetry: 'object' } as const;

class BusRooms implements SharedRooms {
  readonly #bus: Bus;
  readonly #rooms: Rooms;
  readonly #positions = new Positions();
  readonly #confirmations: Confirmations;
  readonly #clock: Clock;
  readonly #roomBuffer: number;
  readonly #subscriptions = new Set<RoomSubscription>();
  #connected: PromiseWithResolvers<void> | undefined;
  #isClosed = false;

  constructor(bus: Bus, limits: ServerLimits, clock: Clock, events: OpenRoomsOptions['telemetry']) {
    const telemetry = new Telemetry();
    telemetry.subscribe({
      bus: (event, reason) => {
        this.#look();
        events?.bus?.(event, reason);
      },
      roomLost: (...loss) => events?.roomLost?.(...loss),
    });
    this.#bus = bus;
    this.#clock = clock;
    this.#roomBuffer = limits.roomBuffer;
    this.#confirmations = new Confirmations(bus, clock);
    this.#rooms = new Rooms({
      clock,
      telemetry,
      limits: { ...limits, roomBehind: 'skip' },
      // Each subscription is a session of its own.
      sessionLimits: { maxRoomsPerSession: 0, joinRate: 0 },
      memoryLimit: new MemoryLimit(limits.maxPendingBytes, clock),
      sessions: () => new Set(),
      bus,
      store: bus.store,
      publishesAlways: true,
      handler: { stored: (stored) => this.#positions.note(stored) },
    });
  }

  async start(): Promise<void> {
    await this.#rooms.start();
    this.#look();
  }

  get state(): BusState {
    return this.#isClosed ? 'away' : this.#bus.state;
  }

  get isConnected(): boolean {
    return this.state !== 'away';
  }

  connected(): Promise<void> {
    if (this.isConnected || this.#isClosed) return Promise.resolve();
    this.#connected ??= Promise.withResolvers();
    return this.#connected.promise;
  }

  room(name: string): SharedRoom {
    return new Handle(this.#rooms.room(name), this);
  }

  send(room: Room, message: string | Uint8Array | Message, options: RoomSendOptions): RoomReach {
    if (this.#isClosed) throw closed();
    const reach = room.send(message, options);
    this.#confirmations.sent(reach === 'local');
    return reach;
  }

  flush(): Promise<number> {
    return this.#confirmations.flush();
  }

  subscribe(room: string, options: SubscribeOptions): Subscription {
    if (this.#isClosed) throw closed();
    const subscription: RoomSubscription = new RoomSubscription(room, options, {
      rooms: this.#rooms,
      clock: this.#clock,
      positions: this.#positions,
      roomBuffer: this.#roomBuffer,
      hasHistories: this.#bus.store !== undefined,
      isConnected: () => this.isConnected,
      connected: () => this.connected(),
      taken: async () => await this.#bus.taken?.(),
      ended: () => this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    subscription.begin();
    return subscription;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connected?.resolve();
    for (const subscription of this.#subscriptions) subscription.close();
    await this.#rooms.close();
  }

  #look(): void {
    if (this.isConnected) this.#connected?.resolve();
    if (this.isConnected) this.#connected = undefined;
  }
}

/** What {@link BusRooms.room} returns. */
class Handle implements SharedRoom {
  readonly #room: Room;
  readonly #rooms: BusRooms;

  constructor(room: Room, rooms: BusRooms) {
    this.#room = room;
    this.#rooms = rooms;
  }

  get name(): string {
    return this.#room.name;
  }

  get size(): number {
    return this.#room.size;
  }

  names(limit?: number): string[] {
    return this.#room.names(limit);
  }

  send(message: string | Uint8Array | Message, options: Pick<RoomSendOptions, 'key' | 'history'> = {}): RoomReach {
    return this.#rooms.send(this.#room, message, options);
  }

  store(message: string | Uint8Array | Message): Promise<string> {
    return this.#room.store(message);
  }

  read(options: HistoryOptions): Promise<StoredMessages> {
    return this.#room.read(options);
  }

  subscribe(options: SubscribeOptions = {}): Subscription {
    return this.#rooms.subscribe(this.name, options);
  }
}

function closed(): YodelError {
  return new YodelError('YODEL_BUS_UNAVAILABLE', 'the rooms are closed');
}
